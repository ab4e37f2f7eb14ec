#include "laurel/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/hash.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/added_tokens.h"
#include "laurel/tokenizer/bpe.h"
#include "laurel/tokenizer/decoder.h"
#include "laurel/tokenizer/normalizer.h"
#include "laurel/tokenizer/overlay.h"
#include "laurel/tokenizer/post_processor.h"
#include "laurel/tokenizer/pre_tokenizer.h"
#include "laurel/tokenizer/tokenizer_file.h"

namespace laurel::tokenizer {
namespace {

std::vector<AddedToken> read_added_tokens(const Json& section, const std::string& where) {
  if (!section.is_null() && !section.is_array())
    throw UserError("{}: added_tokens: expected an array", where);
  std::vector<AddedToken> tokens;
  for (const Json& object : section) {
    tokens.push_back(
        read_file_token(object, fmt::format("{}: added_tokens[{}]", where, tokens.size())));
  }
  return tokens;
}

Json parse_object(std::string_view text, const std::string& where) {
  if (text.empty()) return Json::object();
  Json object = parse_json(text, where);
  if (!object.is_object())
    throw UserError("{}: expected an object, got {}", where, object.type_name());
  return object;
}

// The steps of encoding, in order.
struct Pipeline {
  AddedTokens added_tokens;
  std::unique_ptr<Normalizer> normalizer;
  PreTokenizerChain pre_tokenizer;
  std::unique_ptr<Model> model;
  PostProcessor post_processor;
  Decoder decoder;

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const {
    std::vector<TokenId> ids;
    for (const TextPiece& raw : added_tokens.split(text, false)) {
      if (raw.id) {
        ids.push_back(*raw.id);
        continue;
      }
      const std::string owned = normalizer ? normalizer->normalize(raw.text) : std::string();
      const std::string_view normalized = normalizer ? std::string_view(owned) : raw.text;
      for (const TextPiece& piece : added_tokens.split(normalized, true)) {
        if (piece.id) {
          ids.push_back(*piece.id);
        } else {
          encode_piece(piece.text, ids);
        }
      }
    }
    return post_processor.process(std::move(ids), options.add_special_tokens);
  }

  void encode_piece(std::string_view text, std::vector<TokenId>& ids) const {
    TextArena arena;
    Pieces words;
    pre_tokenizer.split(text, arena, words);
    for (const std::string_view word : words) model->tokenize(word, pre_tokenizer.as_bytes(), ids);
  }

  std::optional<std::string_view> token(TokenId id) const {
    if (const AddedToken* added = added_tokens.token(id)) return added->content;
    return model->vocabulary().token(id);
  }

  std::optional<TokenId> find(std::string_view token) const {
    const auto added = added_tokens.find(token);
    return added ? added : model->vocabulary().find(token);
  }
};

Pipeline make_pipeline(TokenizerFile file, const std::optional<Overlay>& overlay,
                       const std::string& where) {
  Pipeline pipeline;
  pipeline.model = make_bpe(std::move(file.model), where);
  const Vocabulary& vocabulary = pipeline.model->vocabulary();
  pipeline.normalizer = make_normalizer(file.normalizer, where + ": normalizer");
  pipeline.added_tokens.add(read_added_tokens(file.added_tokens, where), vocabulary);
  if (overlay) {
    pipeline.added_tokens.add(overlay->tokens, vocabulary);
    pipeline.added_tokens.set_split_special_tokens(overlay->split_special_tokens);
    if (overlay->add_prefix_space && file.pre_tokenizer.is_object() &&
        file.pre_tokenizer.contains("add_prefix_space")) {
      file.pre_tokenizer["add_prefix_space"] = *overlay->add_prefix_space;
    }
  }
  pipeline.added_tokens.prepare(vocabulary, pipeline.normalizer.get(), where);
  pipeline.pre_tokenizer = PreTokenizerChain(file.pre_tokenizer, where + ": pre_tokenizer");
  pipeline.post_processor = PostProcessor(file.post_processor, where + ": post_processor");
  pipeline.decoder = Decoder(file.decoder, where + ": decoder");
  return pipeline;
}

// The post-processor that the classes of Llama and Gemma make from their flags.
PostProcessor make_bos_eos_processor(const Overlay& overlay, const Pipeline& pipeline,
                                     const std::string& where) {
  const auto ids_of = [&](bool wanted, const std::string& role) {
    std::vector<TokenId> ids;
    if (!wanted) return ids;
    const auto text = overlay.roles.find(role);
    if (text == overlay.roles.end())
      throw UserError("{}: add_{} is true, but there is no {}", where, role, role);
    ids.push_back(pipeline.find(text->second).value());
    return ids;
  };
  return {ids_of(overlay.add_bos_token, "bos_token"), ids_of(overlay.add_eos_token, "eos_token")};
}

std::string read_optional(const std::filesystem::path& path, std::string_view absent) {
  return std::filesystem::exists(path) ? read_file(path) : std::string(absent);
}

}  // namespace

struct Tokenizer::Impl {
  Pipeline pipeline;
  Json config = Json::object();
  std::map<std::string, std::optional<std::string>, std::less<>> roles;
  std::int64_t vocab_size = 0;
  std::string hash;

  static std::unique_ptr<Impl> make(std::string_view tokenizer_json, std::string_view config_json,
                                    std::string_view special_tokens_map_json,
                                    const Json& model_config, const std::string& where);
};

std::unique_ptr<Tokenizer::Impl> Tokenizer::Impl::make(std::string_view tokenizer_json,
                                                       std::string_view config_json,
                                                       std::string_view special_tokens_map_json,
                                                       const Json& model_config,
                                                       const std::string& where) {
  auto impl = std::make_unique<Impl>();
  TokenizerFile file = read_tokenizer_file(tokenizer_json, where);
  impl->config = parse_object(config_json, where + ": tokenizer_config.json");
  const Json map = parse_object(special_tokens_map_json, where + ": special_tokens_map.json");
  std::optional<Overlay> overlay;
  if (!config_json.empty() || !special_tokens_map_json.empty()) {
    Json config = impl->config;
    if (!config.contains("tokenizer_class")) {
      if (std::string name = tokenizer_class_of_model(model_config); !name.empty())
        config["tokenizer_class"] = name;
    }
    overlay = make_overlay(file, config, map, where);
  }
  impl->pipeline = make_pipeline(std::move(file), overlay, where);
  if (overlay) {
    if (overlay->rebuild_post_processor) {
      impl->pipeline.post_processor = make_bos_eos_processor(*overlay, impl->pipeline, where);
    }
    for (auto& [role, text] : overlay->roles) impl->roles.emplace(role, std::move(text));
  }
  impl->vocab_size = std::int64_t{1} + std::max(impl->pipeline.model->vocabulary().max_id(),
                                                impl->pipeline.added_tokens.max_id());
  Fingerprinter fingerprint;
  for (const std::string_view text : {tokenizer_json, config_json, special_tokens_map_json}) {
    fingerprint.add(fmt::format("{}\n", text.size()));
    fingerprint.add(text);
  }
  impl->hash = fingerprint.digest();
  return impl;
}

Tokenizer Tokenizer::load(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "tokenizer.json";
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  const std::string config = read_optional(directory / "tokenizer_config.json", "{}");
  const std::string map = read_optional(directory / "special_tokens_map.json", "");
  const std::string model = read_optional(directory / "config.json", "");
  const Json model_config = parse_object(model, (directory / "config.json").string());
  return Tokenizer(Impl::make(text, config, map, model_config, path.string()));
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json, std::string_view config_json,
                               std::string_view special_tokens_map_json, std::string_view where) {
  return Tokenizer(Impl::make(tokenizer_json, config_json, special_tokens_map_json, Json::object(),
                              std::string(where)));
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string_view::npos) {
    return Failure{fmt::format("text: invalid UTF-8 at byte {}", invalid)};
  }
  try {
    return impl_->pipeline.encode(text, options);
  } catch (const UserError& error) {
    return Failure{error.what()};
  }
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::vector<std::string_view> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    const auto token = impl_->pipeline.token(id);
    if (!token)
      throw UserError("decode: unknown token id {}, expected one below {}", id, vocab_size());
    tokens.push_back(*token);
  }
  return impl_->pipeline.decoder.decode(tokens);
}

std::optional<TokenId> Tokenizer::token_to_id(std::string_view token) const {
  return impl_->pipeline.find(token);
}

std::optional<std::string> Tokenizer::id_to_token(TokenId id) const {
  const auto token = impl_->pipeline.token(id);
  return token ? std::optional(std::string(*token)) : std::nullopt;
}

std::int64_t Tokenizer::vocab_size() const { return impl_->vocab_size; }

const std::optional<std::string>& Tokenizer::special_token(std::string_view role) const {
  static const std::optional<std::string> kNone;
  const auto found = impl_->roles.find(role);
  return found == impl_->roles.end() ? kNone : found->second;
}

std::optional<TokenId> Tokenizer::special_token_id(std::string_view role) const {
  const auto& text = special_token(role);
  return text ? token_to_id(*text) : std::nullopt;
}

const Json& Tokenizer::config() const { return impl_->config; }

const std::string& Tokenizer::hash() const { return impl_->hash; }

}  // namespace laurel::tokenizer
