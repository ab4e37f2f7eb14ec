#include "laurel/formats/gguf_tokenizer.h"

#include <array>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/json.h"
#include "laurel/base/utf8.h"

namespace laurel::formats {
namespace {

// Values of tokenizer.ggml.token_type.
enum class TokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// What a name in tokenizer.ggml.pre stands for.
struct PreTokenizer {
  std::string_view name;
  std::string_view
      pattern;  // split by this, then bytes; empty: the byte-level pre-tokenizer's own pattern
  bool digits_alone = false;  // split digits one by one first
  bool nfc = false;
  bool ignore_merges = false;
  bool add_bos = false;  // when tokenizer.ggml.add_bos_token is absent
};

constexpr std::array kPreTokenizers = {
    PreTokenizer{
        .name = "llama-bpe", .pattern = kLlama3Pattern, .ignore_merges = true, .add_bos = true},
    PreTokenizer{
        .name = "llama3", .pattern = kLlama3Pattern, .ignore_merges = true, .add_bos = true},
    PreTokenizer{
        .name = "llama-v3", .pattern = kLlama3Pattern, .ignore_merges = true, .add_bos = true},
    PreTokenizer{.name = "qwen2", .pattern = kQwen2Pattern, .nfc = true},
    PreTokenizer{.name = "gpt-2", .pattern = ""},
    PreTokenizer{.name = "phi-2", .pattern = ""},
    PreTokenizer{.name = "smollm", .pattern = "", .digits_alone = true},
    PreTokenizer{.name = "starcoder", .pattern = "", .digits_alone = true},
};

const PreTokenizer& find_pre_tokenizer(const GgufFile& gguf) {
  const std::string_view model = gguf.find_string("tokenizer.ggml.model").value_or("");
  if (model != "gpt2") {
    throw UserError(
        "{}: key tokenizer.ggml.model: unsupported tokenizer, expected \"gpt2\" (byte-level BPE), "
        "got \"{}\"",
        gguf.name(), model);
  }
  const std::string_view name = gguf.find_string("tokenizer.ggml.pre").value_or("");
  std::string known;
  for (const PreTokenizer& pre : kPreTokenizers) {
    if (pre.name == name) return pre;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", pre.name);
  }
  throw UserError(
      "{}: key tokenizer.ggml.pre: unsupported pre-tokenizer, expected one of {}, got \"{}\"",
      gguf.name(), known, name);
}

// An object member list built without the linear search per key of Json's ordered objects. Keys
// must be distinct.
class ObjectBuilder {
 public:
  void add(std::string_view key, Json value) {
    static_cast<Json::object_t::Container&>(members_).emplace_back(std::string(key),
                                                                   std::move(value));
  }
  Json take() { return Json(std::move(members_)); }

 private:
  Json::object_t members_;
};

struct SpecialTokenKey {
  std::string_view metadata;
  std::string_view name;  // in tokenizer_config.json
};
constexpr std::array kSpecialTokens = {
    SpecialTokenKey{"tokenizer.ggml.bos_token_id", "bos_token"},
    SpecialTokenKey{"tokenizer.ggml.eos_token_id", "eos_token"},
    SpecialTokenKey{"tokenizer.ggml.unknown_token_id", "unk_token"},
    SpecialTokenKey{"tokenizer.ggml.padding_token_id", "pad_token"},
};

class Builder {
 public:
  Builder(const GgufFile& gguf, std::int64_t max_length)
      : gguf_(gguf), max_length_(max_length), pre_(find_pre_tokenizer(gguf)) {
    read_tokens();
  }

  TokenizerFiles build() {
    TokenizerFiles files;
    files["tokenizer.json"] = to_line(tokenizer_json()) + "\n";
    files["tokenizer_config.json"] = to_text(tokenizer_config());
    files["special_tokens_map.json"] = to_text(special_tokens());
    if (const auto chat_template = gguf_.find_string("tokenizer.chat_template")) {
      files["chat_template.jinja"] = *chat_template;
    }
    return files;
  }

 private:
  void read_tokens() {
    auto tokens = gguf_.find_strings("tokenizer.ggml.tokens");
    if (!tokens || tokens->empty())
      throw UserError("{}: key tokenizer.ggml.tokens is missing", gguf_.name());
    tokens_ = std::move(*tokens);
    types_ = gguf_.find_ints("tokenizer.ggml.token_type")
                 .value_or(std::vector<std::int64_t>(tokens_.size(),
                                                     static_cast<int>(TokenType::kNormal)));
    if (types_.size() != tokens_.size()) {
      throw UserError(
          "{}: key tokenizer.ggml.token_type: expected {} entries as in tokenizer.ggml.tokens, got "
          "{}",
          gguf_.name(), tokens_.size(), types_.size());
    }
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (find_invalid_utf8(tokens_[id]) != std::string_view::npos) {
        throw UserError("{}: key tokenizer.ggml.tokens: token {} is not valid UTF-8", gguf_.name(),
                        id);
      }
      if (is_used(id) && !vocabulary_.insert(tokens_[id]).second) {
        throw UserError("{}: key tokenizer.ggml.tokens: token {} \"{}\" occurs twice", gguf_.name(),
                        id, tokens_[id]);
      }
    }
  }

  bool has_type(std::size_t id, TokenType type) const {
    return types_[id] == static_cast<int>(type);
  }
  bool is_used(std::size_t id) const { return !has_type(id, TokenType::kUnused); }
  bool is_special(std::size_t id) const {
    return has_type(id, TokenType::kControl) || has_type(id, TokenType::kUnknown);
  }
  bool is_added(std::size_t id) const {
    return (is_special(id) || has_type(id, TokenType::kUserDefined)) && !tokens_[id].empty();
  }

  Json token_object(std::size_t id) const {
    return {{"content", tokens_[id]}, {"single_word", false}, {"lstrip", false},
            {"rstrip", false},        {"normalized", false},  {"special", is_special(id)}};
  }

  Json added_tokens() const {
    Json list = Json::array();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (!is_added(id)) continue;
      Json token = {{"id", id}};
      token.update(token_object(id));
      list.push_back(std::move(token));
    }
    return list;
  }

  Json vocabulary() const {
    ObjectBuilder object;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (is_used(id)) object.add(tokens_[id], id);
    }
    return object.take();
  }

  Json merges() const {
    const auto lines = gguf_.find_strings("tokenizer.ggml.merges");
    if (!lines) throw UserError("{}: key tokenizer.ggml.merges is missing", gguf_.name());
    Json list = Json::array();
    std::string merged;
    for (const std::string_view line : *lines) {
      const std::size_t space = line.find(' ');
      const std::string_view left = line.substr(0, space);
      const std::string_view right = space == line.npos ? "" : line.substr(space + 1);
      merged.assign(left).append(right);
      if (!vocabulary_.contains(left) || !vocabulary_.contains(right) ||
          !vocabulary_.contains(merged)) {
        throw UserError(
            "{}: key tokenizer.ggml.merges: merge {} \"{}\": expected two tokens whose "
            "concatenation is a token",
            gguf_.name(), list.size(), line.substr(0, 100));
      }
      list.push_back({left, right});
    }
    return list;
  }

  Json pre_tokenizer() const {
    const Json bytes = {{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", true},
                        {"use_regex", pre_.pattern.empty()}};
    Json first;
    if (!pre_.pattern.empty()) {
      first = {{"type", "Split"},
               {"pattern", {{"Regex", pre_.pattern}}},
               {"behavior", "Isolated"},
               {"invert", false}};
    } else if (pre_.digits_alone) {
      first = {{"type", "Digits"}, {"individual_digits", true}};
    } else {
      return bytes;
    }
    return {{"type", "Sequence"}, {"pretokenizers", Json::array({first, bytes})}};
  }

  // The id under the key, checked against the vocabulary.
  std::optional<std::size_t> token_id(std::string_view key) const {
    const auto id = gguf_.find_int(key);
    if (!id) return std::nullopt;
    if (*id < 0 || *id >= static_cast<std::int64_t>(tokens_.size()) ||
        !is_used(static_cast<std::size_t>(*id))) {
      throw UserError("{}: key {}: expected an id of the {} tokens, got {}", gguf_.name(), key,
                      tokens_.size(), *id);
    }
    return static_cast<std::size_t>(*id);
  }

  // The token that is put before or after every text, if any.
  std::optional<std::size_t> added_end(std::string_view flag, std::string_view id_key,
                                       bool by_default) const {
    if (!gguf_.find_bool(flag).value_or(by_default)) return std::nullopt;
    const auto id = token_id(id_key);
    if (!id)
      throw UserError("{}: key {} is missing, but {} asks for it", gguf_.name(), id_key, flag);
    return id;
  }

  Json post_processor() const {
    const auto bos =
        added_end("tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id", pre_.add_bos);
    const auto eos =
        added_end("tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id", false);
    if (!bos && !eos) return nullptr;
    Json special = Json::object();
    const auto sequence = [&](const char* text_id, int type_id) {
      Json part = Json::array();
      const auto add = [&](std::size_t id) {
        part.push_back({{"SpecialToken", {{"id", tokens_[id]}, {"type_id", type_id}}}});
        special[std::string(tokens_[id])] = {{"id", tokens_[id]},
                                             {"ids", Json::array({id})},
                                             {"tokens", Json::array({tokens_[id]})}};
      };
      if (bos) add(*bos);
      part.push_back({{"Sequence", {{"id", text_id}, {"type_id", type_id}}}});
      if (eos) add(*eos);
      return part;
    };
    Json single = sequence("A", 0);
    Json pair = single;
    for (Json& part : sequence("B", 1)) pair.push_back(part);
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", pair},
            {"special_tokens", special}};
  }

  Json tokenizer_json() const {
    ObjectBuilder model;
    model.add("type", "BPE");
    for (const char* key :
         {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
      model.add(key, nullptr);
    }
    model.add("fuse_unk", false);
    model.add("byte_fallback", false);
    model.add("ignore_merges", pre_.ignore_merges);
    model.add("vocab", vocabulary());
    model.add("merges", merges());
    ObjectBuilder root;
    root.add("version", "1.0");
    root.add("truncation", nullptr);
    root.add("padding", nullptr);
    root.add("added_tokens", added_tokens());
    root.add("normalizer", pre_.nfc ? Json{{"type", "NFC"}} : Json());
    root.add("pre_tokenizer", pre_tokenizer());
    root.add("post_processor", post_processor());
    root.add("decoder", {{"type", "ByteLevel"},
                         {"add_prefix_space", true},
                         {"trim_offsets", true},
                         {"use_regex", true}});
    root.add("model", model.take());
    return root.take();
  }

  Json special_tokens() const {
    Json map = Json::object();
    for (const SpecialTokenKey& key : kSpecialTokens) {
      if (const auto id = token_id(key.metadata)) map[std::string(key.name)] = tokens_[*id];
    }
    return map;
  }

  Json tokenizer_config() const {
    ObjectBuilder added;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (is_added(id)) added.add(std::to_string(id), token_object(id));
    }
    Json config = {{"added_tokens_decoder", added.take()}};
    config.update(special_tokens());
    config["clean_up_tokenization_spaces"] = false;
    config["model_input_names"] = {"input_ids", "attention_mask"};
    config["model_max_length"] = max_length_;
    // The class that takes tokenizer.json as it is; the families' own classes rebuild parts of it.
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    return config;
  }

  const GgufFile& gguf_;
  std::int64_t max_length_;
  const PreTokenizer& pre_;
  std::vector<std::string_view> tokens_;
  std::vector<std::int64_t> types_;
  std::unordered_set<std::string_view> vocabulary_;
};

}  // namespace

TokenizerFiles make_tokenizer_files(const GgufFile& gguf, std::int64_t max_length) {
  return Builder(gguf, max_length).build();
}

}  // namespace laurel::formats
