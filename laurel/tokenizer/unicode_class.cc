#include "laurel/tokenizer/unicode_class.h"

#include <cstring>
#include <span>
#include <vector>

namespace laurel::tokenizer {
namespace {

#include "laurel/tokenizer/unicode_class_tables.inc"

struct Property {
  std::span<const std::uint32_t> ranges;  // (skipped, length) pairs
  std::uint8_t flag;
};

const Property kProperties[] = {
    {kLetterRanges, kLetter},   {kNumberRanges, kNumber}, {kSpaceRanges, kSpace},
    {kNumericRanges, kNumeric}, {kWordRanges, kWord},     {kUpperRanges, kUpper},
    {kLowerRanges, kLower},     {kMarkRanges, kMark},
};

constexpr std::size_t kPageSize = 256;
constexpr std::size_t kNumPages = 0x110000 / kPageSize;

}  // namespace

CharFlags::CharFlags() {
  std::vector<std::uint8_t> flags(0x110000, 0);
  for (const Property& property : kProperties) {
    std::size_t code = 0;
    for (std::size_t i = 0; i + 1 < property.ranges.size(); i += 2) {
      code += property.ranges[i];
      for (const std::size_t end = code + property.ranges[i + 1]; code < end; ++code)
        flags[code] |= property.flag;
    }
  }
  // Most pages repeat the page before them.
  pages_.reserve(std::size_t{512} * kPageSize);
  for (std::size_t page = 0; page < kNumPages; ++page) {
    const std::uint8_t* source = flags.data() + page * kPageSize;
    if (page == 0 ||
        std::memcmp(pages_.data() + pages_.size() - kPageSize, source, kPageSize) != 0) {
      pages_.insert(pages_.end(), source, source + kPageSize);
    }
    index_[page] = static_cast<std::uint16_t>(pages_.size() / kPageSize - 1);
  }
}

const CharFlags& char_flags() {
  static const CharFlags flags;
  return flags;
}

}  // namespace laurel::tokenizer
