// The command line as a whole: help, errors, exit status.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "laurel/base/json.h"

namespace laurel::cli {

// The app with all subcommands declared.
std::unique_ptr<CLI::App> make_app();

// Parses and runs. Returns the exit status: 0, or 2 (user), 3 (I/O), 70 (internal) with one
// sentence on standard error.
int run(int argc, char** argv);

// Subcommand `name` in a section of `laurel --help`, with the example shown there.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& purpose,
                      const std::string& section, const std::string& example);

// Every option of the command and its value (given or default), for manifests.
Json option_values(const CLI::App& command);

// docs/options.md: every command with its options.
std::string options_markdown(const CLI::App& app);

}  // namespace laurel::cli
