// The block types of GGUF: groups of 32 or 256 small integers with the numbers that scale them. One
// block at `b` becomes its values at `out`, in the operation order of the format's reference and
// with its bits. Inlined into callers, so that each is compiled for its instruction set; those must
// not be compiled to fuse multiply and add.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "laurel/base/dtype.h"
#include "laurel/base/half.h"

#define LAUREL_BLOCK_INLINE inline __attribute__((always_inline))

namespace laurel::quantized {

LAUREL_BLOCK_INLINE float half_at(const std::uint8_t* bytes) {
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return f16_to_float(bits);
}

LAUREL_BLOCK_INLINE std::uint32_t u32_at(const std::uint8_t* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

LAUREL_BLOCK_INLINE void q4_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>((b[2 + i] & 15) - 8);
  for (int i = 0; i < 16; ++i) out[i + 16] = d * static_cast<float>((b[2 + i] >> 4) - 8);
}

LAUREL_BLOCK_INLINE void q4_1_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(b[4 + i] & 15) + m;
  for (int i = 0; i < 16; ++i) out[i + 16] = d * static_cast<float>(b[4 + i] >> 4) + m;
}

// Four bits of `low`, the fifth from `high`.
LAUREL_BLOCK_INLINE int five_bits(int low, std::uint32_t high, int i) {
  return low | static_cast<int>((high >> i) & 1) << 4;
}

LAUREL_BLOCK_INLINE void q5_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  const std::uint32_t high = u32_at(b + 2);
  const std::uint8_t* low = b + 6;
  for (int i = 0; i < 16; ++i)
    out[i] = d * static_cast<float>(five_bits(low[i] & 15, high, i) - 16);
  for (int i = 0; i < 16; ++i)
    out[i + 16] = d * static_cast<float>(five_bits(low[i] >> 4, high, i + 16) - 16);
}

LAUREL_BLOCK_INLINE void q5_1_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint32_t high = u32_at(b + 4);
  const std::uint8_t* low = b + 8;
  for (int i = 0; i < 16; ++i) out[i] = d * static_cast<float>(five_bits(low[i] & 15, high, i)) + m;
  for (int i = 0; i < 16; ++i)
    out[i + 16] = d * static_cast<float>(five_bits(low[i] >> 4, high, i + 16)) + m;
}

LAUREL_BLOCK_INLINE void q8_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(b[2 + i]));
}

// Scale and minimum (6 bits each) of group j of a Q4_K or Q5_K block; s: the 12 bytes that pack all
// eight pairs.
LAUREL_BLOCK_INLINE std::pair<int, int> k_scale_and_min(const std::uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

// Q4_K, or Q5_K when `high` holds the fifth bits.
LAUREL_BLOCK_INLINE void k_block(const std::uint8_t* b, const std::uint8_t* high,
                                 const std::uint8_t* low, float* out) {
  const float d = half_at(b), dmin = half_at(b + 2);
  for (int j = 0; j < 8; ++j) {
    const auto [scale, min] = k_scale_and_min(b + 4, j);
    const float group_d = d * static_cast<float>(scale), group_min = dmin * static_cast<float>(min);
    const int shift = j % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      int n = low[32 * (j / 2) + i] >> shift & 15;
      if (high != nullptr) n |= ((high[i] >> j) & 1) << 4;
      out[32 * j + i] = group_d * static_cast<float>(n) - group_min;
    }
  }
}

LAUREL_BLOCK_INLINE void q6_k_block(const std::uint8_t* b, float* out) {
  const auto* scales = reinterpret_cast<const std::int8_t*>(b + 192);
  const float d = half_at(b + 208);
  for (int j = 0; j < 16; ++j) {  // groups of 16 elements, one scale each
    const int part = j / 8, k = j % 8 / 2, first = j % 2 * 16;
    const std::uint8_t* low = b + 64 * part + 32 * (k & 1) + first;
    const std::uint8_t* high = b + 128 + 32 * part + first;
    const float group_d = d * static_cast<float>(scales[j]);
    for (int i = 0; i < 16; ++i) {
      const int n = (low[i] >> (k / 2 * 4) & 15) | ((high[i] >> (2 * k)) & 3) << 4;
      out[16 * j + i] = group_d * static_cast<float>(n - 32);
    }
  }
}

template <DType kDType>
LAUREL_BLOCK_INLINE void block_values(const std::uint8_t* b, float* out) {
  if constexpr (kDType == DType::kQ4_0) q4_0_block(b, out);
  if constexpr (kDType == DType::kQ4_1) q4_1_block(b, out);
  if constexpr (kDType == DType::kQ5_0) q5_0_block(b, out);
  if constexpr (kDType == DType::kQ5_1) q5_1_block(b, out);
  if constexpr (kDType == DType::kQ8_0) q8_0_block(b, out);
  if constexpr (kDType == DType::kQ4_K) k_block(b, nullptr, b + 16, out);
  if constexpr (kDType == DType::kQ5_K) k_block(b, b + 16, b + 48, out);
  if constexpr (kDType == DType::kQ6_K) q6_k_block(b, out);
}

template <DType... kTypes>
struct TypeList {};
using BlockTypes = TypeList<DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K>;

template <typename Function, DType... kTypes>
LAUREL_BLOCK_INLINE bool with_type_of(TypeList<kTypes...>, DType dtype, const Function& f) {
  return ((dtype == kTypes && (f.template operator()<kTypes>(), true)) || ...);
}

// Calls f.operator()<kDType>() for a block type; false for a plain one.
template <typename Function>
LAUREL_BLOCK_INLINE bool with_block_type(DType dtype, const Function& f) {
  return with_type_of(BlockTypes(), dtype, f);
}

}  // namespace laurel::quantized
