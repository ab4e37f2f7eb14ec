// What the commands that a sweep starts can be told, from their own declarations.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "laurel/sweep/config.h"

namespace laurel::cli {

// Names of the options of `laurel train` and `laurel eval`. Precondition: `app` has both.
sweep::ProgramOptions program_options(const CLI::App& app);

// The schedule that `laurel train` takes by default.
std::string default_scheduler(const CLI::App& app);

}  // namespace laurel::cli
