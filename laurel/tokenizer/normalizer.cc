#include "laurel/tokenizer/normalizer.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/byte_alphabet.h"
#include "laurel/tokenizer/normal_form.h"
#include "laurel/tokenizer/section.h"
#include "laurel/tokenizer/unicode_class.h"

namespace laurel::tokenizer {
namespace {

// No file may blow a text up beyond this: SentencePiece's "▁" for a space is 3 bytes for 1.
void check_growth(std::string_view text, const std::string& result) {
  if (result.size() > 4096 + 16 * text.size()) {
    throw UserError(
        "tokenizer.json: normalizer: the text grows too much, expected at most 16 times, from {} "
        "bytes",
        text.size());
  }
}

class Function final : public Normalizer {
 public:
  explicit Function(std::string (*function)(std::string_view)) : function_(function) {}
  std::string normalize(std::string_view text) const override { return function_(text); }

 private:
  std::string (*function_)(std::string_view);
};

std::string spell_bytes(std::string_view text) {
  std::string spelled;
  append_byte_chars(spelled, text);
  return spelled;
}

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string normalize(std::string_view text) const override {
    if (text.empty()) return {};
    std::string result = prefix_ + std::string(text);
    check_growth(text, result);
    return result;
  }

 private:
  std::string prefix_;
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  std::string normalize(std::string_view text) const override {
    std::size_t begin = text.size(), end = 0;  // of the characters that are no white space
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t start = i;
      if (char_flags()(decode_utf8(text, i)) & kSpace) continue;
      if (begin == text.size()) begin = start;
      end = i;
    }
    if (!left_) begin = 0;
    if (!right_) end = text.size();
    return begin < end ? std::string(text.substr(begin, end - begin)) : std::string();
  }

 private:
  bool left_;
  bool right_;
};

class Replace final : public Normalizer {
 public:
  Replace(Regex pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string normalize(std::string_view text) const override {
    std::string result;
    std::size_t last = 0;
    pattern_.find_all(text, [&](std::size_t begin, std::size_t end) {
      result += text.substr(last, begin - last);
      result += content_;
      check_growth(text, result);
      last = end;
    });
    result += text.substr(last);
    return result;
  }

 private:
  Regex pattern_;
  std::string content_;
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> parts)
      : parts_(std::move(parts)) {}
  std::string normalize(std::string_view text) const override {
    std::string result(text);
    for (const auto& part : parts_) {
      result = part->normalize(result);
      check_growth(text, result);
    }
    return result;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

std::unique_ptr<Normalizer> make_sequence(const Json& section, const std::string& where) {
  std::vector<std::unique_ptr<Normalizer>> parts;
  for (const Json& part : require_array(section, "normalizers", where)) {
    parts.push_back(make_normalizer(part, fmt::format("{}[{}]", where, parts.size())));
    if (!parts.back()) throw UserError("{}: a normalizer of the sequence is null", where);
  }
  return std::make_unique<NormalizerSequence>(std::move(parts));
}

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const Json& section, const std::string& where) {
  if (section.is_null()) return nullptr;
  const std::string type = type_of(section, where);
  if (type == "NFC") return std::make_unique<Function>(to_nfc);
  if (type == "NFD") return std::make_unique<Function>(to_nfd);
  if (type == "ByteLevel") return std::make_unique<Function>(spell_bytes);
  if (type == "Prepend")
    return std::make_unique<Prepend>(require_string(section, "prepend", where));
  if (type == "Strip") {
    return std::make_unique<Strip>(require_bool(section, "strip_left", where),
                                   require_bool(section, "strip_right", where));
  }
  if (type == "Replace") {
    return std::make_unique<Replace>(compile_pattern(read_pattern(section, where), where),
                                     require_string(section, "content", where));
  }
  if (type == "Sequence") return make_sequence(section, where);
  refuse_type(type, "NFC, NFD, ByteLevel, Prepend, Strip, Replace, Sequence", where);
}

}  // namespace laurel::tokenizer
