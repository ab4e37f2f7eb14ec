// Text to token ids, exactly as Hugging Face `tokenizers` 0.22.2 does with the same tokenizer.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/base/result.h"

namespace laurel::tokenizer {

using TokenId = std::int32_t;

struct EncodeOptions {
  // Run the post-processor (BOS, EOS as tokenizer.json and tokenizer_config.json say).
  bool add_special_tokens = true;
};

// Immutable after loading; safe to use from several threads at once.
class Tokenizer {
 public:
  // Reads tokenizer.json and, where present, tokenizer_config.json and special_tokens_map.json of a
  // model directory, with transformers 4.57.6's overlay. Throws UserError (naming file and key) for
  // what is missing, damaged or not supported.
  static Tokenizer load(const std::filesystem::path& directory);
  // From texts, e.g. in tests and fuzzers. config_json and special_tokens_map_json may be empty.
  static Tokenizer from_json(std::string_view tokenizer_json, std::string_view config_json = {},
                             std::string_view special_tokens_map_json = {},
                             std::string_view where = "tokenizer.json");

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Ids of the text. Invalid UTF-8 is a failure that names the byte offset.
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;

  // The text of the ids, special tokens included, no clean-up. Unknown ids are a UserError. Bytes
  // that are not valid UTF-8 become U+FFFD.
  std::string decode(const std::vector<TokenId>& ids) const;

  std::optional<TokenId> token_to_id(std::string_view token) const;
  // The token's vocabulary string (byte-level alphabet), or nullopt.
  std::optional<std::string> id_to_token(TokenId id) const;
  // One more than the largest id.
  std::int64_t vocab_size() const;

  // Special tokens by role: "bos_token", "eos_token", "pad_token", "unk_token", …: text, where the
  // config names one.
  const std::optional<std::string>& special_token(std::string_view role) const;
  std::optional<TokenId> special_token_id(std::string_view role) const;

  // tokenizer_config.json as read (an empty object if there is none): chat_template, padding_side,
  // truncation_side, model_max_length.
  const Json& config() const;

  // Fingerprint of the files' contents.
  const std::string& hash() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace laurel::tokenizer
