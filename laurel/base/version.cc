#include "laurel/base/version.h"

namespace laurel {

const char* version() { return LAUREL_VERSION; }

}  // namespace laurel
