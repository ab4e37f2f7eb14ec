#include "laurel/bench/mini.h"

#include <set>

#include "laurel/base/error.h"
#include "laurel/bench/mini_parts.h"

namespace laurel::bench {
namespace {

constexpr std::int64_t kDefaultTestRows = 150;
constexpr std::int64_t kDefaultTrainRows = 3000;
constexpr std::int64_t kMinRows = 12;
constexpr std::int64_t kMaxRows = 1'000'000;
constexpr int kAttempts = 50;  // to find a prompt that was not used yet

struct Part {
  const char* subset;
  MiniRow (*make)(Random&, MiniSplit);
};
constexpr Part kParts[] = {{"Factuality", make_factuality},
                           {"Precise IF", make_precise_if},
                           {"Math", make_math},
                           {"Safety", make_safety},
                           {"Focus", make_focus}};
constexpr std::int64_t kNumParts = 5;

// A row whose prompt is new where possible. Small tables run out of new prompts in a large training
// set.
MiniRow make_new(const Part& part, Random& random, MiniSplit split, std::set<std::string>& used) {
  MiniRow row;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    row = part.make(random, split);
    if (used.insert(row.prompt).second) break;
  }
  row.subset = part.subset;
  return row;
}

Json messages(const std::string& prompt, const std::string& answer) {
  return Json::array(
      {{{"role", "user"}, {"content", prompt}}, {{"role", "assistant"}, {"content", answer}}});
}

}  // namespace

std::size_t pick_index(Random& random, MiniSplit split, std::size_t size) {
  const std::size_t groups = size / 4;
  if (split == MiniSplit::kTest) return 4 * random.below(groups) + 3;
  const std::size_t k = random.below(size - groups);
  return k / 3 * 4 + k % 3;  // skips every fourth
}

std::string fill(std::string_view pattern,
                 const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string result;
  for (std::size_t i = 0; i < pattern.size();) {
    const std::size_t end = pattern[i] == '{' ? pattern.find('}', i) : std::string_view::npos;
    bool found = false;
    if (end != std::string_view::npos) {
      const std::string_view name = pattern.substr(i + 1, end - i - 1);
      for (const auto& [key, value] : values) {
        if (key != name) continue;
        result += value;
        i = end + 1;
        found = true;
        break;
      }
    }
    if (!found) result += pattern[i++];
  }
  return result;
}

std::string capitalized(std::string text) {
  const std::size_t first = text.starts_with('"') ? 1 : 0;
  if (text.size() > first && text[first] >= 'a' && text[first] <= 'z') {
    text[first] = static_cast<char>(text[first] - 'a' + 'A');
  }
  return text;
}

std::string dress(Random& random, const std::string& answer) {
  static const std::vector<std::string> kOpenings = {"Sure. ", "Good question. ", "Of course. ",
                                                     "Let me see. ", "Happy to help. "};
  static const std::vector<std::string> kClosings = {
      " I hope that helps.", " Let me know if you need more.", " Feel free to ask again.",
      " Hope this is useful."};
  std::string text;
  if (random.chance(1, 4)) text += random.pick(kOpenings);
  text += answer;
  if (random.chance(1, 4)) text += random.pick(kClosings);
  return text;
}

std::vector<MiniRow> make_mini(const MiniOptions& options) {
  const std::int64_t standard =
      options.split == MiniSplit::kTest ? kDefaultTestRows : kDefaultTrainRows;
  const std::int64_t size = options.size == 0 ? standard : options.size;
  if (size < kMinRows || size > kMaxRows) {
    throw UserError("size: expected {} to {} rows, got {}", kMinRows, kMaxRows, size);
  }
  const std::int64_t num_pairs = std::max<std::int64_t>(1, size / kMinRows);
  const std::int64_t num_others = size - 2 * num_pairs;
  std::vector<MiniRow> rows;
  std::set<std::string> used;
  for (std::int64_t p = 0; p < kNumParts; ++p) {
    const Part& part = kParts[p];
    Random random(options.seed, std::string(part.subset) +
                                    (options.split == MiniSplit::kTest ? " test" : " train"));
    const std::int64_t count = num_others / kNumParts + (p < num_others % kNumParts ? 1 : 0);
    for (std::int64_t i = 0; i < count; ++i) {
      rows.push_back(make_new(part, random, options.split, used));
      rows.back().id = std::to_string(rows.size() - 1);
    }
  }
  Random random(options.seed, options.split == MiniSplit::kTest ? "Ties test" : "Ties train");
  for (std::int64_t n = 0; n < num_pairs; ++n) {
    auto [tied, ref] = make_ties(random, options.split, n);
    for (MiniRow* row : {&tied, &ref}) {
      row->subset = "Ties";
      row->id = fmt::format("{}:{}", row == &tied ? "tied" : "ref", n);
      rows.push_back(std::move(*row));
    }
  }
  return rows;
}

Json mini_row_json(const MiniRow& row) {
  const bool ties = row.subset == "Ties";
  const std::size_t total = row.chosen.size() + row.rejected.size();
  Json json;
  json["id"] = row.id;
  json["prompt"] = row.prompt;
  json["chosen"] = row.chosen;
  json["rejected"] = row.rejected;
  json["num_correct"] = row.chosen.size();
  json["num_incorrect"] = row.rejected.size();
  json["total_completions"] = total;
  json["models"] = std::vector<std::string>(ties ? 1 : total, "laurel-mini");
  json["subset"] = row.subset;
  json["additional_metadata"] = Json();
  if (!ties) {
    Json metadata;
    for (const char* key : {"category", "correct", "index", "instruction_id_list", "label",
                            "method", "models", "prompt_norm", "subcategory", "valid"}) {
      metadata[key] = Json();
    }
    metadata["category"] = row.category;
    metadata["method"] = "constructed";
    json["additional_metadata"] = std::move(metadata);
  }
  return json;
}

std::vector<Json> mini_pairs(const MiniRow& row) {
  constexpr std::size_t kMaxTiesPairs = 4;
  const bool ties = row.subset == "Ties";
  const std::size_t count =
      ties ? std::min(kMaxTiesPairs, row.rejected.size()) : row.rejected.size();
  std::vector<Json> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    Json pair;
    pair["id"] = fmt::format("{}/{}", row.id, i);
    pair["subset"] = row.subset;
    pair["chosen"] = messages(row.prompt, row.chosen[i % row.chosen.size()]);
    pair["rejected"] = messages(row.prompt, row.rejected[i]);
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace laurel::bench
