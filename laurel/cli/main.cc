#include "laurel/cli/app.h"

int main(int argc, char** argv) { return laurel::cli::run(argc, argv); }
