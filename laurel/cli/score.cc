// laurel score: rewards for the rows of a JSONL file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/progress.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/manifest.h"
#include "laurel/cli/scorer_options.h"
#include "laurel/formats/line_reader.h"
#include "laurel/schema/input_row.h"
#include "laurel/scoring/scorer.h"

namespace laurel::cli {
namespace {

// Rows that are scored together: enough for shared prefixes and full packs, bounded for any input.
// The first windows are smaller, so that a bad row near the beginning is told early.
constexpr std::size_t kFirstWindowRows = 1024;
constexpr std::size_t kMaxWindowRows = 16 * 1024;
constexpr std::size_t kMaxWindowBytes = std::size_t{32} << 20;
// Skipped rows that are listed one by one; the rest is counted.
constexpr std::size_t kListedBadRows = 1000;
constexpr std::size_t kShownBadRows = 10;

struct ScoreOptions {
  scoring::ScorerOptions scorer;
  std::string input;
  std::string output;
  bool skip_bad_rows = false;
};

// A row of the input between reading and writing.
struct PendingRow {
  std::int64_t index = 0;
  std::int64_t line = 0;
  Json id;
  std::size_t num_conversations = 0;
};

// Standard output, or a file that appears whole or not at all.
class RowWriter {
 public:
  explicit RowWriter(const std::string& path) {
    if (path == "-") return;
    file_.emplace(path);
    std::error_code error;
    is_device_ =
        std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error);
  }
  // Whether a manifest can lie beside the output.
  bool has_manifest() const { return file_ && !is_device_; }
  void write(const std::string& line) {
    if (file_) {
      file_->write(line);
    } else if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
      throw IoError("standard output: cannot write");
    }
  }
  void commit() {
    if (file_) {
      file_->commit();
    } else if (std::fflush(stdout) != 0) {
      throw IoError("standard output: cannot write");
    }
  }

 private:
  std::optional<AtomicFile> file_;
  bool is_device_ = false;
};

// One run of the command: reads windows of rows, scores them, writes them in order.
class ScoreRun {
 public:
  ScoreRun(const ScoreOptions& options)
      : options_(options),
        reader_(options.input),
        scorer_(options.scorer),
        writer_(options.output),
        progress_("scoring", "rows") {}

  void run(const CLI::App& command) {
    print_streaming(scorer_, options_.scorer);
    std::string line;
    while (reader_.next_content(line)) {
      read_row(line);
      if (pending_.size() >= window_rows_ || window_bytes_ >= kMaxWindowBytes) flush();
    }
    flush();
    progress_.finish();
    writer_.commit();
    if (writer_.has_manifest()) {
      write_file(options_.output + ".manifest.json", to_text(manifest(command)));
    }
    print_summary();
  }

 private:
  std::string place(std::int64_t line) const { return fmt::format("{}:{}", reader_.name(), line); }

  void read_row(const std::string& line) {
    const std::int64_t number = reader_.line_number();
    const std::int64_t index = num_rows_++;
    try {
      const std::string where = place(number);
      schema::InputRow row = schema::parse_input_row(parse_json(line, where), where);
      pending_.push_back({index, number, std::move(row.id), row.conversations.size()});
      for (scoring::Conversation& conversation : row.conversations)
        window_.push_back(std::move(conversation));
      window_bytes_ += line.size();
    } catch (const UserError& error) {
      if (!options_.skip_bad_rows) throw;
      skip(error.what());
    }
  }

  void skip(const std::string& reason) {
    ++num_bad_;
    if (bad_rows_.size() < kListedBadRows) bad_rows_.push_back(reason);
  }

  void flush() {
    if (window_.empty()) return;
    const auto window_rows = static_cast<double>(pending_.size());
    const std::int64_t before = num_rows_ - static_cast<std::int64_t>(pending_.size());
    const std::vector<Result<scoring::Reward>> rewards = scorer_.score(window_, [&](double share) {
      show_progress(before + static_cast<std::int64_t>(share * window_rows));
    });
    std::size_t next = 0;
    for (const PendingRow& row : pending_) {
      write_row(row, std::span(rewards).subspan(next, row.num_conversations));
      next += row.num_conversations;
    }
    pending_.clear();
    window_.clear();
    window_bytes_ = 0;
    window_rows_ = std::min(2 * window_rows_, kMaxWindowRows);
  }

  // Of as many rows as the part of the input that has been read lets expect.
  void show_progress(std::int64_t num_done) {
    const double read = reader_.fraction_read();
    progress_.update(
        num_done, read > 0 ? static_cast<std::int64_t>(static_cast<double>(num_rows_) / read) : 0);
  }

  void write_row(const PendingRow& row, std::span<const Result<scoring::Reward>> rewards) {
    Json values = Json::array(), tokens = Json::array(), truncated = Json::array();
    for (const Result<scoring::Reward>& reward : rewards) {
      if (!reward.ok()) {
        const std::string reason = fmt::format("{}: {}", place(row.line), reward.message());
        if (!options_.skip_bad_rows) throw UserError(reason);
        return skip(reason);
      }
      values.push_back(static_cast<double>(reward.value().value));
      tokens.push_back(reward.value().num_tokens);
      truncated.push_back(reward.value().num_dropped > 0);
    }
    Json json;
    if (!row.id.is_null()) json["id"] = row.id;
    json["index"] = row.index;
    json["rewards"] = std::move(values);
    json["num_tokens"] = std::move(tokens);
    json["truncated"] = std::move(truncated);
    writer_.write(to_line(json) + "\n");
    ++num_written_;
  }

  Json manifest(const CLI::App& command) const {
    Json json = run_manifest(command, scorer_);
    json["rows"] = {{"read", num_rows_}, {"written", num_written_}, {"skipped", num_bad_}};
    json["skipped"] = bad_rows_;
    return json;
  }

  void print_summary() const {
    for (std::size_t i = 0; i < bad_rows_.size() && i < kShownBadRows; ++i) {
      fmt::print(stderr, "skipped {}\n", bad_rows_[i]);
    }
    if (num_bad_ > 0) {
      fmt::print(stderr, "{} of {} rows skipped{}\n", format_count(num_bad_),
                 format_count(num_rows_),
                 !writer_.has_manifest() ? "" : "; the manifest lists them");
    }
    print_statistics(scorer_);
  }

  const ScoreOptions& options_;
  formats::LineReader reader_;
  scoring::Scorer scorer_;
  RowWriter writer_;
  Progress progress_;
  std::vector<scoring::Conversation> window_;
  std::vector<PendingRow> pending_;
  std::size_t window_bytes_ = 0;
  std::size_t window_rows_ = kFirstWindowRows;
  std::int64_t num_rows_ = 0;
  std::int64_t num_written_ = 0;
  std::int64_t num_bad_ = 0;
  std::vector<std::string> bad_rows_;
};

}  // namespace

void add_score(CLI::App& app) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App& command =
      add_command(app, "score", "Score conversations with a reward model", "Score and evaluate",
                  "laurel score --model org/name --input rows.jsonl --output rewards.jsonl");
  add_scorer_options(command, options->scorer);
  command.get_option("--model")->required();
  command
      .add_option("--input", options->input, "JSONL, plain, gzip or zstd (- for standard input)")
      ->required()
      ->type_name("FILE");
  command.add_option("--output", options->output, "JSONL of rewards (- for standard output)")
      ->required()
      ->type_name("FILE");
  command.add_flag("--skip-bad-rows", options->skip_bad_rows,
                   "Score the other rows and list the bad ones");
  command.footer(command.get_footer() +
                 "\nRows of the input hold one of: messages; prompt and completions; prompt and "
                 "response; chosen and\n"
                 "rejected (and prompt); text; input_ids. An id is carried over.");
  command.callback([options, &command] { ScoreRun(*options).run(command); });
}

}  // namespace laurel::cli
