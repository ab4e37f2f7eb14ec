// laurel report: the page of a training run, finished or not.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "laurel/base/file.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/report/training_report.h"

namespace laurel::cli {
namespace {

struct ReportCommand {
  std::string run;
  std::string output;
};

void run_report(const ReportCommand& command) {
  const report::TrainingReportInput input = report::read_training_run(command.run);
  const std::string output = command.output.empty() ? command.run + "/report.html" : command.output;
  write_file(output, report::training_report(input));
  fmt::print(stderr, "{}: {} steps\n", output, input.steps.size());
}

}  // namespace

void add_report(CLI::App& app) {
  auto command = std::make_shared<ReportCommand>();
  CLI::App& report = add_command(app, "report", "Write the page of a training run, finished or not",
                                 "Train", "laurel report runs/my-reward-model");
  report.add_option("run", command->run, "The run's directory")->required()->type_name("RUN");
  report.add_option("--output", command->output, "HTML file (default: RUN/report.html)")
      ->type_name("FILE");
  report.callback([command] { run_report(*command); });
}

}  // namespace laurel::cli
