// The subcommands. Each add_x declares one on the app, with its options, help and the function that
// runs it.
#pragma once

namespace CLI {
class App;
}

namespace laurel::cli {

void add_bench(CLI::App& app);
void add_info(CLI::App& app);
void add_score(CLI::App& app);
void add_eval(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_explain(CLI::App& app);
void add_convert(CLI::App& app);
void add_mini(CLI::App& app);
void add_data(CLI::App& app);
void add_sweep(CLI::App& app);
void add_publish(CLI::App& app);
void add_card(CLI::App& app);
void add_report(CLI::App& app);
void add_train(CLI::App& app);

}  // namespace laurel::cli
