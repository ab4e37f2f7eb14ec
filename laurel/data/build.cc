#include "laurel/data/build.h"

#include <memory>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/hash.h"
#include "laurel/data/mix.h"
#include "laurel/data/read_source.h"
#include "laurel/data/source_files.h"
#include "laurel/data/summary.h"
#include "laurel/data/token_cache.h"

namespace laurel::data {
namespace {

// Of what is done to a row; part of the cache's keys, so that an older program's files are not
// found.
constexpr int kVersion = 1;

std::vector<std::filesystem::path> paths_of(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

// Everything that decides which examples a source gives.
std::string cache_key(const MixEntry& entry, const std::vector<std::filesystem::path>& files,
                      const BuildOptions& options, const chat::Encoder& encoder) {
  const schema::ScoringRule& rule = encoder.rule();
  const Json facts = {
      {"version", kVersion},
      {"source", entry.source},
      {"amount", entry.amount_text},
      {"split", entry.split},
      {"content", fingerprint_files(files)},
      {"keys", {options.reader.prompt_key, options.reader.chosen_key, options.reader.rejected_key}},
      {"strings_are_text", options.reader.strings_are_text},
      {"skip_bad_rows", options.reader.skip_bad_rows},
      {"max_length", options.filters.max_length},
      {"max_prompt_length", options.filters.max_prompt_length},
      {"benchmarks", options.filters.benchmark_files},
      {"benchmark_content", fingerprint_files(paths_of(options.filters.benchmark_files))},
      {"seed", options.seed},
      {"vocab_size", options.vocab_size},
      {"tokenizer", encoder.tokenizer().hash()},
      {"rule", to_json(rule)}};
  return fingerprint(to_line(facts));
}

TrainingExample example_of(std::int64_t number, PreparedRow&& row) {
  TrainingExample example;
  example.sequences = std::move(row.sequences);
  example.margin = static_cast<float>(row.row.margin.value_or(0));
  example.row = number + 1;
  return example;
}

// kept[places[0]], kept[places[1]], …; the last use of each is a move.
std::vector<TrainingExample> in_order(std::vector<TrainingExample>& kept,
                                      const std::vector<std::size_t>& places) {
  std::vector<std::int64_t> uses(kept.size());
  for (const std::size_t place : places) ++uses[place];
  std::vector<TrainingExample> examples;
  examples.reserve(places.size());
  for (const std::size_t place : places) {
    if (--uses[place] == 0) {
      examples.push_back(std::move(kept[place]));
    } else {
      examples.push_back(kept[place]);
    }
  }
  return examples;
}

class Builder {
 public:
  Builder(const BuildOptions& options, const chat::Encoder& encoder, ThreadPool& pool)
      : options_(options),
        encoder_(encoder),
        pool_(pool),
        benchmarks_(options.filters.benchmark_files),
        preparer_(options.reader, options.filters, benchmarks_, &encoder,
                  options.vocab_size > 0 ? options.vocab_size : encoder.tokenizer().vocab_size()),
        cache_(options.cache_directory) {}

  TrainingSet build() {
    if (options_.mix.empty()) throw UserError("mix: expected at least one source, got none");
    TrainingSet set;
    std::vector<Json> counts;
    for (const std::string& text : options_.mix) {
      const MixEntry entry = parse_mix_entry(text);
      TokenizedSource source = tokenized(entry);
      for (TrainingExample& example : source.examples) {
        example.source = static_cast<std::int32_t>(set.sources.size());
        set.examples.push_back(std::move(example));
      }
      set.sources.push_back(entry.source);
      counts.push_back(std::move(source.counts));
    }
    set.summary = summarize(set, counts, options_.filters, encoder_);
    return set;
  }

 private:
  TokenizedSource tokenized(const MixEntry& entry) {
    const std::vector<std::filesystem::path> files = find_source_files(entry);
    if (options_.cache_directory.empty()) return tokenize(entry, files);
    const std::string key = cache_key(entry, files, options_, encoder_);
    if (std::optional<TokenizedSource> found = cache_.find(key)) {
      found->counts["files"] = counts_json(entry, files, {})["files"];  // they may have moved
      return std::move(*found);
    }
    TokenizedSource source = tokenize(entry, files);
    cache_.store(key, source);
    return source;
  }

  TokenizedSource tokenize(const MixEntry& entry, const std::vector<std::filesystem::path>& files) {
    std::vector<TrainingExample> kept;
    std::vector<std::int64_t> numbers;
    const SourceReading reading =
        read_source(entry, files, preparer_, {options_.reader.skip_bad_rows, options_.seed}, pool_,
                    [&](std::int64_t number, PreparedRow&& row) {
                      kept.push_back(example_of(number, std::move(row)));
                      numbers.push_back(number);
                    });
    TokenizedSource source;
    source.counts = counts_json(entry, files, reading.counts);
    source.examples = in_order(kept, kept_picks(reading.picks, reading.counts.num_rows, numbers));
    return source;
  }

  const BuildOptions& options_;
  const chat::Encoder& encoder_;
  ThreadPool& pool_;
  ContaminationIndex benchmarks_;
  RowPreparer preparer_;
  TokenCache cache_;
};

// The pad token of a base model, unless it is the eos token too.
std::optional<std::int32_t> training_pad(const std::filesystem::path& directory,
                                         const tokenizer::Tokenizer& tokenizer) {
  const Json config = read_json_file(directory / "config.json");
  std::optional<std::int32_t> pad = tokenizer.special_token_id("pad_token");
  if (const auto id = get_int(config, "pad_token_id", "config.json"); id && *id <= INT32_MAX)
    pad = static_cast<std::int32_t>(*id);
  return pad == tokenizer.special_token_id("eos_token") ? std::nullopt : pad;
}

}  // namespace

TrainingSet build_training_set(const BuildOptions& options, const chat::Encoder& encoder,
                               ThreadPool& pool) {
  return Builder(options, encoder, pool).build();
}

chat::Encoder load_training_encoder(const std::filesystem::path& directory,
                                    const EncoderOptions& options) {
  auto tokenizer =
      std::make_shared<const tokenizer::Tokenizer>(tokenizer::Tokenizer::load(directory));
  chat::RuleOptions rule;
  rule.template_file = options.template_file;
  if (!options.template_date.empty()) rule.template_date = options.template_date;
  const auto pad = training_pad(directory, *tokenizer);
  return chat::Encoder(directory, std::move(tokenizer), pad, rule);
}

}  // namespace laurel::data
