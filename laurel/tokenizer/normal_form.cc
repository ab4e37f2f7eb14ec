#include "laurel/tokenizer/normal_form.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <vector>

#include "laurel/base/utf8.h"

namespace laurel::tokenizer {
namespace {

struct CombiningClass {
  std::uint32_t code;
  std::uint8_t value;
};
struct Decomposition {
  std::uint32_t code;
  std::uint32_t parts[4];
};
struct Composition {
  std::uint32_t first;
  std::uint32_t second;
  std::uint32_t composite;
};

#include "laurel/tokenizer/normal_form_tables.inc"

// Everything below decomposes to itself and combines with nothing before it.
constexpr char32_t kFirstDecomposed = 0xc0;
constexpr char32_t kFirstCombining = 0x300;

// Hangul syllables compose by arithmetic (The Unicode Standard, section 3.12).
constexpr char32_t kHangul = 0xac00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11a7;
constexpr char32_t kNumLead = 19, kNumVowel = 21, kNumTail = 28;
constexpr char32_t kNumHangul = kNumLead * kNumVowel * kNumTail;

struct Mark {
  char32_t code;
  std::uint8_t combining_class;
};

std::uint8_t combining_class(char32_t code) {
  if (code < kFirstCombining) return 0;
  const auto* found =
      std::lower_bound(std::begin(kCombiningClasses), std::end(kCombiningClasses), code,
                       [](const CombiningClass& entry, char32_t c) { return entry.code < c; });
  return found != std::end(kCombiningClasses) && found->code == code ? found->value
                                                                     : std::uint8_t{0};
}

void append_decomposed(char32_t code, std::vector<Mark>& out) {
  if (code - kHangul < kNumHangul) {
    const char32_t index = code - kHangul, tail = index % kNumTail;
    out.push_back({kLead + index / (kNumVowel * kNumTail), 0});
    out.push_back({kVowel + index / kNumTail % kNumVowel, 0});
    if (tail != 0) out.push_back({kTail + tail, 0});
    return;
  }
  const auto* found =
      std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), code,
                       [](const Decomposition& entry, char32_t c) { return entry.code < c; });
  if (code < kFirstDecomposed || found == std::end(kDecompositions) || found->code != code) {
    out.push_back({code, combining_class(code)});
    return;
  }
  for (const std::uint32_t part : found->parts) {
    if (part != 0) out.push_back({part, combining_class(part)});
  }
}

// The composite of the two, or 0.
char32_t compose(char32_t first, char32_t second) {
  if (first - kLead < kNumLead && second - kVowel < kNumVowel) {
    return kHangul + ((first - kLead) * kNumVowel + (second - kVowel)) * kNumTail;
  }
  const bool open_syllable = first - kHangul < kNumHangul && (first - kHangul) % kNumTail == 0;
  if (open_syllable && second - kTail - 1 < kNumTail - 1) return first + (second - kTail);
  const auto* found = std::lower_bound(
      std::begin(kCompositions), std::end(kCompositions), std::pair(first, second),
      [](const Composition& entry, const std::pair<char32_t, char32_t>& key) {
        return std::tie(entry.first, entry.second) < std::tie(key.first, key.second);
      });
  const bool is_pair =
      found != std::end(kCompositions) && found->first == first && found->second == second;
  return is_pair ? found->composite : 0;
}

// Decomposed, each run of combining marks in canonical order.
std::vector<Mark> decompose(std::string_view text) {
  std::vector<Mark> marks;
  marks.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) append_decomposed(decode_utf8(text, i), marks);
  for (auto begin = marks.begin(); begin != marks.end();) {
    begin = std::find_if(begin, marks.end(),
                         [](const Mark& mark) { return mark.combining_class != 0; });
    const auto end = std::find_if(begin, marks.end(),
                                  [](const Mark& mark) { return mark.combining_class == 0; });
    std::stable_sort(begin, end, [](const Mark& a, const Mark& b) {
      return a.combining_class < b.combining_class;
    });
    begin = end;
  }
  return marks;
}

// Composes in place: each character with the last starter, unless a mark between them blocks it.
void recompose(std::vector<Mark>& marks) {
  constexpr std::size_t kNoStarter = SIZE_MAX;
  std::size_t starter = kNoStarter, size = 0;
  for (const Mark mark : marks) {
    if (starter != kNoStarter) {
      const bool adjacent = size == starter + 1;
      const bool blocked = !adjacent && marks[size - 1].combining_class >= mark.combining_class;
      const char32_t composite = blocked ? 0 : compose(marks[starter].code, mark.code);
      if (composite != 0) {
        marks[starter].code = composite;
        continue;
      }
    }
    if (mark.combining_class == 0) starter = size;
    marks[size++] = mark;
  }
  marks.resize(size);
}

std::string to_utf8(const std::vector<Mark>& marks, std::size_t size_hint) {
  std::string text;
  text.reserve(size_hint);
  for (const Mark& mark : marks) append_utf8(text, mark.code);
  return text;
}

// Most text: nothing at or above U+0300, where all that NFC may change or combine lies (U+00C0… are
// composed).
bool is_plainly_nfc(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xcc; });
}

}  // namespace

std::string to_nfc(std::string_view text) {
  if (is_plainly_nfc(text)) return std::string(text);
  std::vector<Mark> marks = decompose(text);
  recompose(marks);
  return to_utf8(marks, text.size());
}

std::string to_nfd(std::string_view text) {
  return to_utf8(decompose(text), text.size() + text.size() / 2);
}

}  // namespace laurel::tokenizer
