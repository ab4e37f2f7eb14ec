#include "laurel/data/summary.h"

#include <algorithm>
#include <bit>
#include <map>

#include "laurel/base/progress.h"

namespace laurel::data {
namespace {

// How often each length occurs.
class Lengths {
 public:
  void add(std::int64_t length) { ++counts_[length], ++count_, sum_ += length; }

  Json statistics() const {
    if (count_ == 0) return nullptr;
    return {{"min", counts_.begin()->first},
            {"median", quantile(0.5)},
            {"mean", static_cast<double>(sum_) / static_cast<double>(count_)},
            {"p95", quantile(0.95)},
            {"max", counts_.rbegin()->first}};
  }

  // Counts in buckets that end at powers of two.
  Json histogram() const {
    std::map<std::int64_t, std::int64_t> buckets;
    for (const auto& [length, count] : counts_)
      buckets[static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)))] +=
          count;
    Json list = Json::array();
    for (const auto& [up_to, count] : buckets)
      list.push_back({{"up_to", up_to}, {"sequences", count}});
    return list;
  }

 private:
  // The smallest length that at least this share does not exceed.
  std::int64_t quantile(double share) const {
    std::int64_t seen = 0;
    for (const auto& [length, count] : counts_) {
      seen += count;
      if (static_cast<double>(seen) >= share * static_cast<double>(count_)) return length;
    }
    return counts_.rbegin()->first;
  }

  std::map<std::int64_t, std::int64_t> counts_;
  std::int64_t count_ = 0;
  std::int64_t sum_ = 0;
};

// Sums over examples, of one source or of all.
struct Tokens {
  std::int64_t examples = 0, sequences = 0, tokens = 0, computed = 0;

  void add(const TrainingExample& example) {
    ++examples;
    sequences += static_cast<std::int64_t>(example.sequences.size());
    for (const auto& ids : example.sequences) tokens += static_cast<std::int64_t>(ids.size());
    computed += computed_tokens(example);
  }
  double shared() const {
    return tokens == 0 ? 0.0 : 1.0 - static_cast<double>(computed) / static_cast<double>(tokens);
  }
  void write(Json& json) const {
    json["examples"] = examples;
    json["sequences"] = sequences;
    json["tokens"] = tokens;
    json["computed_tokens"] = computed;
    json["shared"] = shared();
  }
};

Json template_json(const schema::ScoringRule& rule) {
  if (rule.template_source.empty()) return nullptr;
  Json json = {{"source", rule.template_source}, {"hash", rule.template_hash}};
  if (rule.template_date) json["date"] = *rule.template_date;
  return json;
}

void append_drops(std::string& text, const Json& source) {
  std::string drops;
  for (const auto& [reason, count] : source["dropped"].items()) {
    drops += fmt::format("{}{} {}", drops.empty() ? "" : ", ",
                         format_count(count.get<std::int64_t>()), reason);
  }
  if (source["bad"] > 0) {
    drops += fmt::format("{}{} unreadable", drops.empty() ? "" : ", ",
                         format_count(source["bad"].get<std::int64_t>()));
  }
  if (!drops.empty()) text += fmt::format("    dropped: {}\n", drops);
  if (source["prompts_differ"] > 0) {
    text += fmt::format("    kept although the prompts of their completions differ: {}\n",
                        format_count(source["prompts_differ"].get<std::int64_t>()));
  }
}

void append_listed(std::string& text, const Json& source) {
  constexpr std::size_t kShown = 3;
  for (const char* key : {"bad_rows", "refused", "contaminated"}) {
    for (std::size_t i = 0; i < source[key].size() && i < kShown; ++i)
      text += fmt::format("      {}\n", source[key][i].get<std::string>());
    if (source[key].size() > kShown) text += "      …\n";
  }
}

void append_source(std::string& text, const Json& source) {
  std::string forms;
  for (const auto& [form, count] : source["forms"].items()) {
    forms += (forms.empty() ? "" : "; ") + form;
    if (source["forms"].size() > 1)
      forms += fmt::format(" ({})", format_count(count.get<std::int64_t>()));
  }
  const auto number = [&](const char* key) {
    return format_count(source[key].get<std::int64_t>());
  };
  text += fmt::format("  {} {} {}: {}\n    {} rows, {} picked, {} different; {} kept\n",
                      source["name"].get<std::string>(), source["amount"].get<std::string>(),
                      source["split"].get<std::string>(), forms, number("rows"), number("picked"),
                      number("read"), number("kept"));
  append_drops(text, source);
  append_listed(text, source);
  if (source["margins"] > 0) text += fmt::format("    with a margin: {}\n", number("margins"));
}

void append_lengths(std::string& text, const Json& summary) {
  text += fmt::format("{:<28}{:>8}{:>8}{:>8}{:>8}{:>8}\n", "tokens of a", "min", "median", "mean",
                      "p95", "max");
  for (const auto& [name, title] : {std::pair("sequence", "sequence"),
                                    {"shared_prefix", "prompt, as far as shared"},
                                    {"completion", "completion, the rest"}}) {
    const Json& row = summary["lengths"][name];
    text +=
        fmt::format("  {:<26}{:>8}{:>8}{:>8.0f}{:>8}{:>8}\n", title, row["min"].get<std::int64_t>(),
                    row["median"].get<std::int64_t>(), row["mean"].get<double>(),
                    row["p95"].get<std::int64_t>(), row["max"].get<std::int64_t>());
  }
}

void append_histogram(std::string& text, const Json& histogram) {
  constexpr std::int64_t kWidth = 40;
  std::int64_t most = 1;
  for (const Json& bucket : histogram)
    most = std::max(most, bucket["sequences"].get<std::int64_t>());
  for (const Json& bucket : histogram) {
    const auto count = bucket["sequences"].get<std::int64_t>();
    const std::string bar(static_cast<std::size_t>((count * kWidth + most - 1) / most), '#');
    text +=
        fmt::format("  up to {:>7} tokens {:>10}  {}\n",
                    format_count(bucket["up_to"].get<std::int64_t>()), format_count(count), bar);
  }
}

}  // namespace

std::int64_t computed_tokens(const TrainingExample& example) {
  std::vector<const std::vector<std::int32_t>*> sorted;
  for (const auto& ids : example.sequences) sorted.push_back(&ids);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return *a < *b; });
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    tokens += static_cast<std::int64_t>(sorted[i]->size());
    if (i == 0) continue;
    const auto [first, second] = std::mismatch(sorted[i - 1]->begin(), sorted[i - 1]->end(),
                                               sorted[i]->begin(), sorted[i]->end());
    tokens -= second - sorted[i]->begin();
  }
  return tokens;
}

Json counts_json(const MixEntry& entry, const std::vector<std::filesystem::path>& files,
                 const RowCounts& counts) {
  Json json = {{"name", entry.source}, {"split", entry.split}, {"amount", entry.amount_text}};
  json["files"] = Json::array();
  for (const std::filesystem::path& file : files) json["files"].push_back(file.string());
  json["rows"] = counts.num_rows;
  json["picked"] = counts.num_picked;
  json["read"] = counts.num_read;
  json["kept"] = counts.drops[static_cast<std::size_t>(Drop::kNone)];
  json["bad"] = counts.num_bad;
  json["dropped"] = Json::object();
  for (std::size_t i = 1; i < kNumDrops; ++i) {
    if (counts.drops[i] > 0)
      json["dropped"][std::string(to_string(static_cast<Drop>(i)))] = counts.drops[i];
  }
  json["prompts_differ"] = counts.num_prompts_differ;
  json["margins"] = counts.num_margins;
  json["forms"] = Json::object();
  for (const auto& [form, count] : counts.forms) json["forms"][form] = count;
  json["bad_rows"] = counts.bad;
  json["refused"] = counts.refused;
  json["contaminated"] = counts.contaminated;
  return json;
}

Json summarize(const TrainingSet& set, const std::vector<Json>& counts,
               const FilterOptions& filters, const chat::Encoder& encoder) {
  Tokens total;
  std::vector<Tokens> of_source(counts.size());
  std::map<std::size_t, std::int64_t> completions;
  Lengths sequences, prefixes, rests;
  for (const TrainingExample& example : set.examples) {
    total.add(example);
    of_source[static_cast<std::size_t>(example.source)].add(example);
    ++completions[example.sequences.size()];
    const std::int64_t shared = shared_prefix(example.sequences);
    prefixes.add(shared);
    for (const auto& ids : example.sequences) {
      const auto length = static_cast<std::int64_t>(ids.size());
      sequences.add(length);
      rests.add(length - shared);
    }
  }
  Json json;
  total.write(json);
  json["completions_per_example"] = Json::object();
  for (const auto& [number, count] : completions)
    json["completions_per_example"][std::to_string(number)] = count;
  json["lengths"] = {{"sequence", sequences.statistics()},
                     {"shared_prefix", prefixes.statistics()},
                     {"completion", rests.statistics()}};
  json["histogram"] = sequences.histogram();
  json["filters"] = {{"max_length", filters.max_length},
                     {"max_prompt_length", filters.max_prompt_length},
                     {"benchmarks", filters.benchmark_files}};
  json["tokenizer"] = encoder.tokenizer().hash();
  json["template"] = template_json(encoder.rule());
  json["sources"] = Json::array();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    json["sources"].push_back(counts[i]);
    of_source[i].write(json["sources"].back());
  }
  return json;
}

std::string sources_text(const Json& sources) {
  std::string text;
  for (const Json& source : sources) append_source(text, source);
  return text;
}

std::string summary_text(const Json& summary) {
  const auto number = [&](const char* key) {
    return format_count(summary[key].get<std::int64_t>());
  };
  std::string text = fmt::format(
      "{} examples, {} sequences, {} tokens; {} computed, {:.1f} % shared within examples\n",
      number("examples"), number("sequences"), number("tokens"), number("computed_tokens"),
      100 * summary["shared"].get<double>());
  text += sources_text(summary["sources"]);
  if (summary["examples"] > 0) {
    append_lengths(text, summary);
    append_histogram(text, summary["histogram"]);
    text += "completions per example:";
    for (const auto& [k, count] : summary["completions_per_example"].items())
      text += fmt::format(" {} × {}", format_count(count.get<std::int64_t>()), k);
    text += '\n';
  }
  if (const Json& used = summary["template"]; !used.is_null()) {
    text += fmt::format("template {} {}\n", used["source"].get<std::string>(),
                        used["hash"].get<std::string>());
  }
  return text;
}

}  // namespace laurel::data
