#include "laurel/train/pad_token.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"

namespace laurel::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPad = "<pad>";
constexpr std::int64_t kRowMultiple = 8;
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kSpecialTokens = "special_tokens_map.json";

Json read_object_if_present(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json json = read_json_file(path);
  if (!json.is_object()) throw UserError("{}: expected a JSON object", path.string());
  return json;
}

// A special token is a string or an object with "content".
std::optional<std::string> special_token(const Json& config, const char* key,
                                         const std::string& where) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return std::nullopt;
  return found->is_object() ? get_string(*found, "content", where) : get_string(config, key, where);
}

struct Search {
  std::optional<std::int64_t> id;  // of the token looked for
  std::int64_t next_id = 0;        // the first beyond all
  void see(bool is_wanted, std::int64_t token_id) {
    if (is_wanted) id = token_id;
    next_id = std::max(next_id, token_id + 1);
  }
};

// Looks through the model's vocabulary (an object of ids, or Unigram's list) and the added tokens.
// The file may hold more keys than laurel/base/json.h takes.
Search find_token(const simdjson::padded_string& text, std::string_view content) {
  simdjson::dom::parser parser;
  const simdjson::dom::element root = parser.parse(text);
  Search search;
  const simdjson::dom::element vocab = root["model"]["vocab"];
  if (vocab.is_object()) {
    for (const auto [token, id] : vocab.get_object()) {
      search.see(token == content, id.get_int64());
    }
  } else {
    std::int64_t id = 0;
    for (const auto entry : vocab.get_array()) {
      search.see(entry.at(0).get_string().value() == content, id++);
    }
  }
  simdjson::dom::array added;
  if (root["added_tokens"].get(added) == simdjson::SUCCESS) {
    for (const auto token : added) {
      search.see(token["content"].get_string().value() == content, token["id"].get_int64());
    }
  }
  return search;
}

// The text with one more entry at the end of "added_tokens"; all else stays as it is.
std::string with_added_token(const simdjson::padded_string& text, const Json& entry) {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document = parser.iterate(text);
  simdjson::ondemand::array list = document["added_tokens"].get_array();
  const bool is_empty = list.is_empty();
  const std::string_view raw = list.raw_json();
  const auto end = static_cast<std::size_t>(raw.data() - text.data()) + raw.rfind(']');
  std::string result(text.data(), text.size());
  std::size_t last = end;  // behind the last entry, so that the comma stands right
  while (last > 0 && std::string_view(" \t\r\n").find(result[last - 1]) != std::string_view::npos) {
    --last;
  }
  return result.insert(last, (is_empty ? "" : ",\n    ") + to_line(entry));
}

Json token_facts() {
  return {{"content", kPad}, {"lstrip", false},      {"normalized", false},
          {"rstrip", false}, {"single_word", false}, {"special", true}};
}

}  // namespace

PadToken choose_pad_token(const fs::path& directory, std::int64_t vocab_size) {
  const fs::path path = directory / kTokenizer;
  const std::string config_where = (directory / kConfig).string();
  Json config = read_object_if_present(directory / kConfig);
  const auto own = special_token(config, "pad_token", config_where);
  const bool keep = own && own != special_token(config, "eos_token", config_where);

  PadToken pad;
  pad.content = keep ? *own : kPad;
  const simdjson::padded_string text(read_file(path));
  try {
    const Search search = find_token(text, pad.content);
    if (keep && !search.id) {
      throw UserError("{}: pad token {}: not in the vocabulary", path.string(), pad.content);
    }
    pad.id = checked_cast<std::int32_t>(search.id.value_or(search.next_id), path.string());
    const std::int64_t num_tokens = std::max<std::int64_t>(search.next_id, pad.id + 1);
    pad.vocab_size = num_tokens <= vocab_size
                         ? vocab_size
                         : (num_tokens + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
    if (keep) return pad;
    if (!search.id) {
      Json entry = {{"id", pad.id}};
      entry.update(token_facts());
      pad.files[kTokenizer] = with_added_token(text, entry);
      config["added_tokens_decoder"][std::to_string(pad.id)] = token_facts();
    }
  } catch (const simdjson::simdjson_error& error) {
    throw UserError("{}: cannot find its tokens: {}", path.string(), error.what());
  }
  config["pad_token"] = kPad;
  pad.files[kConfig] = to_text(config);
  Json special = read_object_if_present(directory / kSpecialTokens);
  special["pad_token"] = kPad;
  pad.files[kSpecialTokens] = to_text(special);
  return pad;
}

}  // namespace laurel::train
