#include "laurel/tokenizer/bpe.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/byte_alphabet.h"
#include "laurel/tokenizer/merge_symbols.h"
#include "laurel/tokenizer/word_cache.h"

namespace laurel::tokenizer {
namespace {

constexpr TokenId kNone = -1;

MergeTable make_merge_table(const BpeConfig& config, std::string_view where) {
  MergeTable table(config.merges.size());
  const auto id_of = [&](std::size_t index, std::string_view token) {
    const auto id = config.vocabulary.find(token);
    if (!id)
      throw UserError("{}: merge {}: token \"{}\" is not in the vocabulary", where, index, token);
    return *id;
  };
  const std::string_view text = config.merge_text;
  for (std::size_t i = 0; i < config.merges.size(); ++i) {
    const auto& [offset, left_size, right_size] = config.merges[i];
    const TokenId left = id_of(i, text.substr(offset, left_size));
    const TokenId right = id_of(i, text.substr(offset + left_size, right_size));
    const TokenId merged = id_of(i, text.substr(offset, left_size + right_size));
    table.set(left, right, {static_cast<std::uint32_t>(i), merged});
  }
  return table;
}

class Bpe final : public Model {
 public:
  Bpe(BpeConfig config, std::string_view where);

  void tokenize(std::string_view text, bool as_bytes, std::vector<TokenId>& ids) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  // Collects symbols, with the reference's way of placing unknown ones.
  struct SymbolSink;

  void tokenize_word(std::string_view text, bool as_bytes, std::vector<TokenId>& ids) const;
  void add_unknown(std::string_view character, SymbolSink& sink) const;
  TokenId unknown_id() const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::optional<std::string> unk_token_;
  bool fuse_unk_;
  bool byte_fallback_;
  bool ignore_merges_;
  std::array<TokenId, 256>
      byte_ids_;  // of the bytes' characters in the byte-level alphabet, or kNone
  std::array<TokenId, 256> fallback_ids_;  // of "<0xXX>", or kNone
  std::uint64_t cache_key_ = WordCache::new_key();
};

struct Bpe::SymbolSink {
  std::vector<TokenId>& ids;
  TokenId pending_unknown = kNone;

  void add(TokenId id) {
    flush();
    ids.push_back(id);
  }
  void flush() {
    if (pending_unknown != kNone) ids.push_back(std::exchange(pending_unknown, kNone));
  }
};

Bpe::Bpe(BpeConfig config, std::string_view where)
    : merges_(make_merge_table(config, where)),
      unk_token_(std::move(config.unk_token)),
      fuse_unk_(config.fuse_unk),
      byte_fallback_(config.byte_fallback),
      ignore_merges_(config.ignore_merges) {
  vocabulary_ = std::move(config.vocabulary);
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string token;
    append_utf8(token, byte_to_char(static_cast<unsigned char>(byte)));
    byte_ids_[byte] = vocabulary_.find(token).value_or(kNone);
    fallback_ids_[byte] = vocabulary_.find(fmt::format("<0x{:02X}>", byte)).value_or(kNone);
  }
}

TokenId Bpe::unknown_id() const {
  const auto id = vocabulary_.find(*unk_token_);
  if (!id)
    throw UserError("tokenizer.json: unk_token \"{}\" is not in the vocabulary", *unk_token_);
  return *id;
}

void Bpe::add_unknown(std::string_view character, SymbolSink& sink) const {
  if (byte_fallback_) {
    bool all_known = true;
    for (const char c : character)
      all_known &= fallback_ids_[static_cast<unsigned char>(c)] != kNone;
    if (all_known) {
      // The reference leaves a pending unknown token behind these; so it comes after them.
      for (const char c : character)
        sink.ids.push_back(fallback_ids_[static_cast<unsigned char>(c)]);
      return;
    }
  }
  if (!unk_token_) return;
  if (!fuse_unk_) sink.flush();
  if (sink.pending_unknown == kNone) sink.pending_unknown = unknown_id();
}

void Bpe::tokenize_word(std::string_view text, bool as_bytes, std::vector<TokenId>& ids) const {
  if (ignore_merges_) {
    std::string spelled;
    if (as_bytes) append_byte_chars(spelled, text);
    if (const auto id = vocabulary_.find(as_bytes ? std::string_view(spelled) : text)) {
      ids.push_back(*id);
      return;
    }
  }
  const std::size_t start = ids.size();
  SymbolSink sink{ids};
  std::string character;
  for (std::size_t i = 0; i < text.size();) {
    if (as_bytes) {
      const auto byte = static_cast<unsigned char>(text[i++]);
      if (byte_ids_[byte] != kNone) {
        sink.add(byte_ids_[byte]);
        continue;
      }
      character.clear();
      append_utf8(character, byte_to_char(byte));
      add_unknown(character, sink);
    } else {
      const std::size_t begin = i;
      decode_utf8(text, i);
      const std::string_view piece = text.substr(begin, i - begin);
      if (const auto id = vocabulary_.find(piece)) {
        sink.add(*id);
      } else {
        add_unknown(piece, sink);
      }
    }
  }
  sink.flush();
  merge_symbols(merges_, vocabulary_.unique_ids(), ids, start);
}

void Bpe::tokenize(std::string_view text, bool as_bytes, std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  WordCache& cache = WordCache::of_thread();
  if (cache.find(cache_key_, text, as_bytes, ids)) return;
  const std::size_t start = ids.size();
  tokenize_word(text, as_bytes, ids);
  cache.insert(cache_key_, text, as_bytes, ids, start);
}

}  // namespace

std::unique_ptr<Model> make_bpe(BpeConfig config, std::string_view where) {
  return std::make_unique<Bpe>(std::move(config), where);
}

}  // namespace laurel::tokenizer
