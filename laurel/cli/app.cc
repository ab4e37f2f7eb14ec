#include "laurel/cli/app.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/nearest.h"
#include "laurel/base/temporaries.h"
#include "laurel/base/version.h"
#include "laurel/cli/commands.h"
#include "laurel/kernels/ops.h"

namespace laurel::cli {
namespace {

constexpr int kUserExit = 2;
constexpr int kInternalExit = 70;

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

// The example that add_command() put first in the footer.
std::string example_of(const CLI::App& command) {
  const std::string footer = command.get_footer();
  const std::size_t begin = footer.find('\n') + 3;
  return footer.substr(begin, footer.find('\n', begin) - begin);
}

// `laurel --help`: the commands by purpose, an example each. Commands print CLI11's own form.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (app->get_parent() != nullptr) return CLI::Formatter::make_help(app, name, mode);
    std::string text = fmt::format(
        "laurel {}: reward models, natively\n\nUsage: laurel COMMAND [options]\n", version());
    std::string section;
    for (const CLI::App* command : commands_of(*app)) {
      if (command->get_group() != section) {
        section = command->get_group();
        text += fmt::format("\n{}\n", section);
      }
      text += fmt::format("  {:<10}{}\n", command->get_name(), command->get_description());
      text += fmt::format("  {:<10}$ {}\n", "", example_of(*command));
    }
    text += "\nlaurel COMMAND --help lists the options of a command.\n";
    text +=
        "Environment: LAUREL_ISA=avx2|avx512|… forces an instruction set; HF_HOME, HF_HUB_CACHE "
        "locate models.\n";
    return text;
  }
};

// The command that was chosen, or the last of them: "mix" of "laurel data mix".
const CLI::App& chosen_command(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : chosen_command(*chosen[0]);
}

// "laurel data mix"
std::string path_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) names.push_back(option->get_name());
  return names;
}

// One sentence for words that no command or option takes.
std::string unknown_word_text(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App& chosen = chosen_command(app);
  const std::vector<std::string> commands = names_of(commands_of(chosen));
  const std::vector<std::string> options = option_names(chosen);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    const bool is_command = !commands.empty() && !name.starts_with("-");
    const std::vector<std::string>& known = is_command ? commands : options;
    const std::string kind = is_command ? "command" : "option";
    const std::string hint = nearest_name(name, known);
    const std::string place = path_of(chosen);
    return fmt::format("{}: unknown {} {}{}", place, kind, name,
                       hint.empty() ? fmt::format("; see {} --help", place)
                                    : fmt::format("; did you mean {}?", hint));
  }
  return "laurel: unexpected arguments";
}

// One sentence for what is missing: it may be there, misspelt.
std::string missing_word_text(const CLI::App& app, const CLI::RequiredError& error) {
  const std::vector<std::string> words = app.remaining(true);
  if (!words.empty()) return unknown_word_text(app, words);
  const CLI::App& chosen = chosen_command(app);
  const std::vector<std::string> commands = names_of(commands_of(chosen));
  if (commands.empty()) return error.what();
  return fmt::format("{}: expected a command, {}", path_of(chosen), fmt::join(commands, " or "));
}

void select_isa_from_environment() {
  const char* name = std::getenv("LAUREL_ISA");
  if (name == nullptr || *name == '\0') return;
  try {
    kernels::select_isa(name);
  } catch (const UserError& error) {
    throw UserError("environment variable LAUREL_ISA: {}", error.what());
  }
}

// A command that only leads to others has no section.
void append_own_markdown(std::string& text, const CLI::App& command) {
  if (command.get_options().size() == 1) return;  // --help
  text += fmt::format("\n## {}\n\n{}.\n\n    {}\n\n| option | meaning | default |\n|---|---|---|\n",
                      path_of(command), command.get_description(), example_of(command));
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_single_name() == "help") continue;
    const bool flag = option->get_items_expected_max() == 0;
    text += fmt::format("| `{}{}` | {} | {} |\n", option->get_name(),
                        flag ? "" : " " + option->get_type_name(), option->get_description(),
                        option->get_required() ? "required" : option->get_default_str());
  }
}

// The command's part of docs/options.md: its own options, then its commands.
void append_markdown(std::string& text, const CLI::App& command) {
  append_own_markdown(text, command);
  for (const CLI::App* inner : commands_of(command)) append_markdown(text, *inner);
}

void print_error(std::string_view text) { fmt::print(stderr, "laurel: error: {}\n", text); }

}  // namespace

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& purpose,
                      const std::string& section, const std::string& example) {
  CLI::App* command = app.add_subcommand(name, purpose);
  command->group(section);
  command->footer("Example:\n  " + example);
  return *command;
}

std::unique_ptr<CLI::App> make_app() {
  auto app = std::make_unique<CLI::App>();
  app->name("laurel");
  app->formatter(std::make_shared<HelpFormatter>());
  app->set_version_flag("--version", std::string("laurel ") + version());
  app->require_subcommand(1);
  add_score(*app);
  add_eval(*app);
  add_info(*app);
  add_explain(*app);
  add_bench(*app);
  add_tokenize(*app);
  add_convert(*app);
  add_mini(*app);
  add_data(*app);
  add_train(*app);
  add_sweep(*app);
  add_publish(*app);
  add_card(*app);
  add_report(*app);
  CLI::App* options = app->add_subcommand("options", "Print docs/options.md")->group("");
  options->callback([app = app.get()] { fmt::print("{}", options_markdown(*app)); });
  return app;
}

int run(int argc, char** argv) {
  const InterruptCleanup cleanup;
  const std::unique_ptr<CLI::App> app = make_app();
  try {
    select_isa_from_environment();
    if (argc == 1) {
      fmt::print("{}", app->help());
      return 0;
    }
    app->parse(argc, argv);
    return 0;
  } catch (const CLI::Success& success) {  // --help, --version
    return app->exit(success);
  } catch (const CLI::RuntimeError& status) {  // of a command that has said why
    return status.get_exit_code();
  } catch (const CLI::ExtrasError&) {
    print_error(unknown_word_text(*app, app->remaining(true)));
    return kUserExit;
  } catch (const CLI::RequiredError& error) {
    print_error(missing_word_text(*app, error));
    return kUserExit;
  } catch (const CLI::ParseError& error) {
    print_error(error.what());
    return kUserExit;
  } catch (const Error& error) {
    print_error(error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return kInternalExit;
  } catch (const std::exception& error) {
    print_error(error.what());
    return kInternalExit;
  }
}

Json option_values(const CLI::App& command) {
  Json values = Json::object();
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    if (name == "help") continue;
    if (option->get_items_expected_max() == 0) {
      values[name] = option->count() > 0;
    } else if (option->count() > 1) {
      values[name] = option->results();
    } else if (option->count() == 1) {
      values[name] = option->results()[0];
    } else {
      const std::string text = option->get_default_str();
      values[name] = text.empty() ? Json() : Json(text);
    }
  }
  return values;
}

std::string options_markdown(const CLI::App& app) {
  std::string text = "# Options\n\nMade by `laurel options`; a test keeps it so.\n";
  for (const CLI::App* command : commands_of(app)) append_markdown(text, *command);
  return text;
}

}  // namespace laurel::cli
