#include "laurel/tokenizer/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/tokenizer/section.h"

namespace laurel::tokenizer {
namespace {

constexpr std::array<std::string_view, 7> kRoles = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// What a tokenizer class of transformers brings along.
struct TokenizerClass {
  std::string_view name;
  std::map<std::string_view, std::string_view>
      defaults;                // role → text, where the config does not name the role
  bool wraps_strings = false;  // role texts become special tokens, not normalized
  bool rebuilds_post_processor = false;
};

const std::vector<TokenizerClass>& tokenizer_classes() {
  static const std::vector<TokenizerClass> classes = {
      {"PreTrainedTokenizer", {}},
      {"LlamaTokenizer",
       {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}},
       false,
       true},
      {"GemmaTokenizer",
       {{"unk_token", "<unk>"},
        {"bos_token", "<bos>"},
        {"eos_token", "<eos>"},
        {"pad_token", "<pad>"}},
       false,
       true},
      {"Qwen2Tokenizer",
       {{"unk_token", "<|endoftext|>"},
        {"eos_token", "<|endoftext|>"},
        {"pad_token", "<|endoftext|>"}},
       true,
       false},
      {"GPT2Tokenizer",
       {{"unk_token", "<|endoftext|>"},
        {"bos_token", "<|endoftext|>"},
        {"eos_token", "<|endoftext|>"}}},
  };
  return classes;
}

const TokenizerClass& find_class(const Json& config, const std::string& where) {
  const std::string name =
      get_string(config, "tokenizer_class", where).value_or("PreTrainedTokenizerFast");
  std::string_view stem = name;
  if (stem.ends_with("Fast")) stem.remove_suffix(4);
  for (const TokenizerClass& known : tokenizer_classes()) {
    if (known.name == stem && name != "PreTrainedTokenizer") return known;
  }
  throw UserError(
      "{}: tokenizer_class \"{}\" is not supported, expected one of PreTrainedTokenizerFast, "
      "LlamaTokenizerFast, "
      "GemmaTokenizerFast, Qwen2TokenizerFast, GPT2TokenizerFast",
      where, name);
}

// A token of the configuration: a plain string, or one with flags.
struct ConfigToken {
  AddedToken token;
  bool has_flags = false;
  bool normalized_given = false;
};

ConfigToken plain_token(std::string content) { return {AddedToken{std::move(content)}}; }

ConfigToken token_with_flags(const Json& object, const std::string& where) {
  ConfigToken result;
  result.has_flags = true;
  AddedToken& token = result.token;
  token.content = read_content(object, where);
  token.single_word = get_bool(object, "single_word", where).value_or(false);
  token.lstrip = get_bool(object, "lstrip", where).value_or(false);
  token.rstrip = get_bool(object, "rstrip", where).value_or(false);
  token.special = get_bool(object, "special", where).value_or(false);
  const auto normalized = get_bool(object, "normalized", where);
  result.normalized_given = normalized.has_value();
  token.normalized = normalized.value_or(!token.special);
  return result;
}

ConfigToken read_role(const Json& value, const std::string& where) {
  if (value.is_string()) return plain_token(value.get<std::string>());
  if (value.is_object() && value.contains("__type")) return token_with_flags(value, where);
  throw UserError("{}: expected a string or an AddedToken, got {}", where,
                  to_line(value).substr(0, 60));
}

class OverlayMaker {
 public:
  OverlayMaker(const TokenizerFile& file, const Json& config, const Json& special_tokens_map,
               const std::string& where)
      : file_(file),
        config_(config),
        map_(special_tokens_map),
        where_(where),
        class_(find_class(config, where)) {}

  Overlay make() {
    read_roles();
    if (config_.contains("added_tokens_decoder")) {
      read_added_tokens_decoder();
    } else {
      read_special_tokens_map();
      read_file_tokens();
    }
    for (auto& [role, token] : roles_) prefer_added_token(token);
    apply_class_defaults();
    Overlay overlay;
    for (const auto& [role, token] : roles_) overlay.roles.emplace(role, token.token.content);
    overlay.tokens = tokens_to_add();
    apply_flags(overlay);
    return overlay;
  }

 private:
  void read_roles() {
    for (const std::string_view role : kRoles) {
      const auto found = config_.find(std::string(role));
      if (found == config_.end()) continue;
      named_.insert(std::string(role));
      if (!found->is_null())
        roles_[std::string(role)] = read_role(*found, fmt::format("{}: {}", where_, role));
    }
    const auto additional = config_.find("additional_special_tokens");
    if (additional != config_.end() && !additional->is_null()) {
      for (const Json& value : require_array(config_, "additional_special_tokens", where_)) {
        additional_.push_back(read_role(value, where_ + ": additional_special_tokens"));
      }
    }
    const auto extra = config_.find("extra_special_tokens");
    if (extra == config_.end() || extra->empty()) return;
    if (!extra->is_object())
      throw UserError("{}: extra_special_tokens: expected an object", where_);
    for (const auto& [role, value] : extra->items()) {
      extra_.emplace_back(
          role, read_role(value, fmt::format("{}: extra_special_tokens: {}", where_, role)));
    }
  }

  void add_decoder_token(std::int64_t id, ConfigToken token) {
    by_content_[token.token.content] = token;
    decoder_[id] = std::move(token);
  }

  void read_added_tokens_decoder() {
    const Json& decoder = config_["added_tokens_decoder"];
    if (!decoder.is_object())
      throw UserError("{}: added_tokens_decoder: expected an object", where_);
    for (const auto& [key, value] : decoder.items()) {
      const std::string where = fmt::format("{}: added_tokens_decoder: {}", where_, key);
      const bool is_number =
          !key.empty() && key.size() <= 10 &&
          std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!is_number) throw UserError("{}: expected a token id as key", where);
      add_decoder_token(std::stoll(key), token_with_flags(value, where));
    }
  }

  // Only where tokenizer_config.json has no added_tokens_decoder.
  void read_special_tokens_map() {
    for (const auto& [key, value] : map_.items()) {
      const std::string where = fmt::format("{}: special_tokens_map.json: {}", where_, key);
      if (key == "additional_special_tokens" && value.is_array()) {
        for (const Json& element : value) add_additional(read_map_token(element, where));
      } else if (std::find(kRoles.begin(), kRoles.end(), key) != kRoles.end()) {
        named_.insert(key);
        roles_.erase(key);
        if (!value.is_null()) roles_[key] = read_map_token(value, where);
      }
    }
  }

  ConfigToken read_map_token(const Json& value, const std::string& where) {
    if (value.is_string()) return plain_token(value.get<std::string>());
    ConfigToken token = token_with_flags(value, where);
    token.token.special = true;
    if (!token.normalized_given) token.token.normalized = false;
    return token;
  }

  void add_additional(ConfigToken token) {
    const bool known =
        std::any_of(additional_.begin(), additional_.end(), [&](const ConfigToken& other) {
          return other.has_flags == token.has_flags && other.token == token.token;
        });
    if (!known) additional_.push_back(std::move(token));
  }

  void read_file_tokens() {
    for (const Json& object : file_.added_tokens) {
      add_decoder_token(require_int(object, "id", where_),
                        {read_file_token(object, where_), true, true});
    }
  }

  void prefer_added_token(ConfigToken& token) {
    const auto found = by_content_.find(token.token.content);
    if (found != by_content_.end()) token = found->second;
  }

  void apply_class_defaults() {
    for (const auto& [role, content] : class_.defaults) {
      if (!named_.contains(std::string(role)))
        roles_[std::string(role)] = plain_token(std::string(content));
    }
    if (class_.wraps_strings) {
      for (const char* role : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
        const auto found = roles_.find(role);
        if (found == roles_.end() || found->second.has_flags) continue;
        found->second.token.special = true;
        found->second.has_flags = found->second.normalized_given = true;
      }
    }
    if (file_.padding.is_object() && !named_.contains("pad_token") &&
        !class_.defaults.contains("pad_token")) {
      roles_["pad_token"] =
          plain_token(require_string(file_.padding, "pad_token", where_ + ": padding"));
    }
  }

  // Special tokens of all roles, in the reference's order, one for each text.
  std::vector<ConfigToken> all_special() const {
    std::vector<ConfigToken> all;
    std::set<std::string> seen{""};
    const auto add = [&](const ConfigToken& token) {
      if (seen.insert(token.token.content).second) all.push_back(token);
    };
    for (const std::string_view role : kRoles) {
      const auto found = roles_.find(std::string(role));
      if (found != roles_.end()) add(found->second);
    }
    for (const ConfigToken& token : additional_) add(token);
    for (const auto& [role, token] : extra_) add(token);
    return all;
  }

  std::vector<AddedToken> tokens_to_add() const {
    std::vector<ConfigToken> to_add;
    std::set<std::string> known;
    for (const Json& object : file_.added_tokens)
      known.insert(require_string(object, "content", where_));
    for (const auto& [id, token] : decoder_) {
      to_add.push_back(token);
      known.insert(token.token.content);
    }
    const std::vector<ConfigToken> special = all_special();
    std::set<std::string> special_contents;
    const std::size_t num_decoder = to_add.size();
    for (const ConfigToken& token : special) {
      special_contents.insert(token.token.content);
      const auto end = to_add.begin() + static_cast<std::ptrdiff_t>(num_decoder);
      // A plain string counts as known by its text, a token with flags only by all of them.
      const bool is_known =
          token.has_flags
              ? std::any_of(to_add.begin(), end,
                            [&](const ConfigToken& other) { return other.token == token.token; })
              : known.contains(token.token.content);
      if (!is_known) to_add.push_back(token);
    }
    std::vector<AddedToken> tokens;
    for (ConfigToken& token : to_add) {
      token.token.special = token.token.special || special_contents.contains(token.token.content);
      if (!token.normalized_given) token.token.normalized = !token.token.special;
      tokens.push_back(std::move(token.token));
    }
    return tokens;
  }

  void apply_flags(Overlay& overlay) const {
    overlay.split_special_tokens =
        get_bool(config_, "split_special_tokens", where_).value_or(false);
    overlay.rebuild_post_processor = class_.rebuilds_post_processor;
    overlay.add_bos_token =
        get_bool(config_, "add_bos_token", where_).value_or(!config_.contains("add_bos_token"));
    overlay.add_eos_token = get_bool(config_, "add_eos_token", where_).value_or(false);
    const auto add_prefix_space = get_bool(config_, "add_prefix_space", where_);
    if (class_.name == "LlamaTokenizer") {
      if (add_prefix_space) {
        throw UserError(
            "{}: add_prefix_space with {} needs the SentencePiece model, which is not supported",
            where_, class_.name);
      }
    } else if (add_prefix_space || !config_.contains("add_prefix_space")) {
      overlay.add_prefix_space = add_prefix_space.value_or(false);
    }
  }

  const TokenizerFile& file_;
  const Json& config_;
  const Json& map_;
  const std::string& where_;
  const TokenizerClass& class_;
  std::set<std::string> named_;  // roles that a file names, if only as null
  std::map<std::string, ConfigToken> roles_;
  std::vector<ConfigToken> additional_;
  std::vector<std::pair<std::string, ConfigToken>> extra_;
  std::map<std::int64_t, ConfigToken> decoder_;
  std::map<std::string, ConfigToken> by_content_;
};

}  // namespace

Overlay make_overlay(const TokenizerFile& file, const Json& config, const Json& special_tokens_map,
                     const std::string& where) {
  return OverlayMaker(file, config, special_tokens_map, where).make();
}

std::string tokenizer_class_of_model(const Json& model_config) {
  if (const auto name = get_string(model_config, "tokenizer_class", "config.json")) return *name;
  const std::string type = get_string(model_config, "model_type", "config.json").value_or("");
  if (type == "llama") return "LlamaTokenizerFast";
  if (type == "qwen2") return "Qwen2TokenizerFast";
  if (type == "gpt2") return "GPT2TokenizerFast";
  if (type == "gemma" || type == "gemma2" || type == "gemma3") return "GemmaTokenizerFast";
  return "";
}

}  // namespace laurel::tokenizer
