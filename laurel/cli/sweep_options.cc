#include "laurel/cli/sweep_options.h"

namespace laurel::cli {
namespace {

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_single_name() != "help") names.push_back(option->get_single_name());
  }
  return names;
}

}  // namespace

sweep::ProgramOptions program_options(const CLI::App& app) {
  return {option_names(*app.get_subcommand("train")), option_names(*app.get_subcommand("eval"))};
}

std::string default_scheduler(const CLI::App& app) {
  return app.get_subcommand("train")->get_option("--lr-scheduler-type")->get_default_str();
}

}  // namespace laurel::cli
