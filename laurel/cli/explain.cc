// laurel explain: how one row becomes tokens, and which of them is scored.
#include <CLI/CLI.hpp>
#include <memory>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/chat/encoder.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/scorer_options.h"
#include "laurel/formats/line_reader.h"
#include "laurel/hub/resolve.h"
#include "laurel/model/config.h"
#include "laurel/schema/input_row.h"
#include "laurel/scoring/rule_options.h"

namespace laurel::cli {
namespace {

struct ExplainOptions {
  scoring::ScorerOptions scorer;
  std::string input;
  std::int64_t line = 1;
};

// The row itself, or one line of a file.
schema::InputRow read_row(const ExplainOptions& options) {
  if (options.input.starts_with("{")) {
    return schema::parse_input_row(parse_json(options.input, "--input"), "--input");
  }
  formats::LineReader reader(options.input);
  std::string line;
  while (reader.next(line)) {
    if (reader.line_number() != options.line) continue;
    const std::string where = fmt::format("{}:{}", reader.name(), options.line);
    return schema::parse_input_row(parse_json(line, where), where);
  }
  throw UserError("{}: no line {}, the input has {}", reader.name(), options.line,
                  reader.line_number());
}

std::string why_scored(const chat::Encoded& item, const schema::ScoringRule& rule) {
  const auto last = static_cast<std::int64_t>(item.ids.size()) - 1;
  if (!rule.pad_token_id) return "the last token; there is no pad token";
  if (item.scored_index == last)
    return fmt::format("the last token, which is not the pad token {}", *rule.pad_token_id);
  if (item.scored_index == 0)
    return fmt::format("all tokens are the pad token {}, so the first", *rule.pad_token_id);
  return fmt::format("the rightmost token that is not the pad token {}; {} after it are",
                     *rule.pad_token_id, last - item.scored_index);
}

void print_conversation(const chat::Encoder& encoder, const chat::Encoded& item) {
  if (!item.text.empty()) fmt::print("text:\n{}\n\n", item.text);
  fmt::print("tokens: {}", item.ids.size());
  if (item.num_dropped > 0)
    fmt::print(" ({} cut on the {})", item.num_dropped, to_string(encoder.rule().truncation));
  fmt::print("\n");
  for (std::size_t i = 0; i < item.ids.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    // JSON text of the token, so that white space and control characters can be seen
    const auto token = encoder.tokenizer().id_to_token(item.ids[i]);
    const std::string shown =
        token ? to_line(encoder.tokenizer().decode({item.ids[i]})) : "(no such token)";
    fmt::print("{:>7} {:>8}  {}{}{}\n", index, item.ids[i], shown,
               index < item.num_masked ? "  <- hidden from attention" : "",
               index == item.scored_index ? "  <- scored" : "");
  }
  fmt::print("\nscored position: {}: {}\n", item.scored_index, why_scored(item, encoder.rule()));
}

void run_explain(const ExplainOptions& options) {
  const hub::ResolvedModel files = hub::resolve_model(options.scorer.model);
  const model::ModelConfig config = model::read_config(files.directory);
  const auto tokenizer =
      std::make_shared<tokenizer::Tokenizer>(tokenizer::Tokenizer::load(files.directory));
  const chat::Encoder encoder(files.directory, tokenizer, config.pad_token_id,
                              scoring::rule_options(options.scorer, config));
  const schema::InputRow row = read_row(options);
  fmt::print("{}\n", describe(encoder.rule()));
  for (std::size_t i = 0; i < row.conversations.size(); ++i) {
    fmt::print("\n--- conversation {} of {} ---\n", i + 1, row.conversations.size());
    const Result<chat::Encoded> encoded = encoder.encode_conversation(row.conversations[i]);
    if (!encoded.ok()) throw UserError("conversation {}: {}", i + 1, encoded.message());
    print_conversation(encoder, encoded.value());
  }
}

}  // namespace

void add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App& command = add_command(
      app, "explain", "Show the text, the tokens and the scored position of a row", "Look inside",
      R"(laurel explain --model org/name --input '{"prompt":"Hi","response":"Hello!"}')");
  add_rule_options(command, options->scorer);
  command.get_option("--model")->required();
  command.add_option("--input", options->input, "A row as JSON, or a JSONL file")
      ->required()
      ->type_name("ROW|FILE");
  command.add_option("--line", options->line, "Line of the file")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.callback([options] { run_explain(*options); });
}

}  // namespace laurel::cli
