// laurel tokenize: token ids of rows; needs only the tokenizer's files.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/progress.h"
#include "laurel/chat/encoder.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/formats/line_reader.h"
#include "laurel/hub/resolve.h"
#include "laurel/schema/input_row.h"

namespace laurel::cli {
namespace {

struct TokenizeOptions {
  std::string model;
  std::string input;
  std::string output;
  bool no_special_tokens = false;
};

// Text as tokenizer(text) of transformers gives it; messages through the chat template, which
// writes its own specials.
class RowTokenizer {
 public:
  explicit RowTokenizer(const TokenizeOptions& options)
      : directory_(hub::resolve_model(options.model).directory),
        tokenizer_(std::make_shared<tokenizer::Tokenizer>(tokenizer::Tokenizer::load(directory_))),
        add_special_tokens_(!options.no_special_tokens) {}

  std::vector<tokenizer::TokenId> ids(const schema::Conversation& conversation,
                                      const std::string& where) {
    if (const auto* text = std::get_if<std::string>(&conversation)) {
      return checked(tokenizer_->encode(*text, {add_special_tokens_}), where);
    }
    if (const auto* messages = std::get_if<schema::Messages>(&conversation)) {
      return checked(encoder().encode(*messages), where).ids;
    }
    return std::get<std::vector<std::int32_t>>(conversation);
  }

 private:
  template <typename T>
  static T checked(Result<T> result, const std::string& where) {
    if (!result.ok()) throw UserError("{}: {}", where, result.message());
    return std::move(result).value();
  }

  // Made on first use: a directory without chat template serves for text.
  const chat::Encoder& encoder() {
    if (!encoder_) encoder_.emplace(directory_, tokenizer_, std::nullopt, chat::RuleOptions{});
    return *encoder_;
  }

  std::filesystem::path directory_;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  bool add_special_tokens_;
  std::optional<chat::Encoder> encoder_;
};

void run_tokenize(const TokenizeOptions& options) {
  RowTokenizer tokenizer(options);
  formats::LineReader reader(options.input);
  AtomicFile output(options.output);
  Progress progress("tokenizing", "tokens");
  std::int64_t num_rows = 0, num_tokens = 0;
  std::string line;
  while (reader.next_content(line)) {
    const std::string where = fmt::format("{}:{}", reader.name(), reader.line_number());
    const schema::InputRow row = schema::parse_input_row(parse_json(line, where), where);
    Json lists = Json::array();
    for (const schema::Conversation& conversation : row.conversations) {
      std::vector<tokenizer::TokenId> ids = tokenizer.ids(conversation, where);
      num_tokens += static_cast<std::int64_t>(ids.size());
      lists.push_back(std::move(ids));
    }
    Json json;
    if (!row.id.is_null()) json["id"] = row.id;
    json["input_ids"] = lists.size() == 1 ? std::move(lists[0]) : std::move(lists);
    output.write(to_line(json) + "\n");
    ++num_rows;
    progress.update(num_tokens);
  }
  output.commit();
  progress.finish();
  fmt::print(stderr, "{} rows, {} tokens\n", format_count(num_rows), format_count(num_tokens));
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App& command =
      add_command(app, "tokenize", "Turn rows into token ids", "Look inside",
                  "laurel tokenize --model org/name --input rows.jsonl --output ids.jsonl");
  command
      .add_option("--model", options->model,
                  "Directory with the tokenizer's files, or org/name[@revision]")
      ->required()
      ->type_name("M");
  command
      .add_option("--input", options->input,
                  "JSONL rows as for laurel score (- for standard input)")
      ->required()
      ->type_name("FILE");
  command.add_option("--output", options->output, "JSONL with input_ids per row")
      ->required()
      ->type_name("FILE");
  command.add_flag("--no-special-tokens", options->no_special_tokens,
                   "Do not add the tokenizer's special tokens (BOS, …) to text rows");
  command.callback([options] { run_tokenize(*options); });
}

}  // namespace laurel::cli
