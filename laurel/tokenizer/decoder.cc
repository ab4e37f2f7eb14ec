#include "laurel/tokenizer/decoder.h"

#include <algorithm>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/byte_alphabet.h"
#include "laurel/tokenizer/section.h"

namespace laurel::tokenizer {
namespace {

// Length of the longest start of a valid sequence at the start of `bytes`, which is not a whole
// one; at least 1.
std::size_t invalid_length(std::string_view bytes) {
  std::string probe;
  for (std::size_t size = std::min<std::size_t>(3, bytes.size()); size > 1; --size) {
    // A start of a valid sequence is one that some continuation bytes complete.
    for (const std::string_view rest : {"\x80", "\x80\x80", "\xbf", "\xbf\xbf"}) {
      probe.assign(bytes.substr(0, size));
      probe += rest;
      std::size_t end = 0;
      if (find_invalid_utf8(probe) == probe.npos && (decode_utf8(probe, end), end == probe.size()))
        return size;
    }
  }
  return 1;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  for (;;) {
    const std::size_t valid = std::min(find_invalid_utf8(bytes), bytes.size());
    text += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) return text;
    text += "\uFFFD";
    bytes.remove_prefix(invalid_length(bytes));
  }
}

bool is_byte_level(const Json& section, const std::string& where) {
  const std::string type = type_of(section, where);
  if (type == "ByteLevel") return true;
  if (type == "Sequence") {
    const Json& parts = require_array(section, "decoders", where);
    if (parts.size() == 1) return is_byte_level(parts[0], where + "[0]");
    throw UserError("{}: a sequence of {} decoders is not supported, expected 1", where,
                    parts.size());
  }
  refuse_type(type, "ByteLevel, Sequence", where);
}

}  // namespace

Decoder::Decoder(const Json& section, const std::string& where)
    : byte_level_(!section.is_null() && is_byte_level(section, where)) {}

std::string Decoder::decode(const std::vector<std::string_view>& tokens) const {
  std::string bytes;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (byte_level_) {
      append_token_bytes(bytes, tokens[i]);
    } else {
      if (i > 0) bytes += ' ';
      bytes += tokens[i];
    }
  }
  return replace_invalid_utf8(bytes);
}

}  // namespace laurel::tokenizer
