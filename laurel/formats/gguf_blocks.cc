#include "laurel/formats/gguf_blocks.h"

#include <array>
#include <cstring>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/half.h"

namespace laurel::formats {
namespace {

constexpr int kSmallBlock = 32;   // elements of Q4_0 … Q8_0
constexpr int kSuperBlock = 256;  // elements of the K types

float half_at(const std::uint8_t* bytes) {
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return f16_to_float(bits);
}

std::uint32_t u32_at(const std::uint8_t* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// The block functions below turn one block at `b` into its values at `out`.

void f32_block(const std::uint8_t* b, float* out) { std::memcpy(out, b, sizeof *out); }
void f16_block(const std::uint8_t* b, float* out) { *out = half_at(b); }
void bf16_block(const std::uint8_t* b, float* out) {
  std::uint16_t bits;
  std::memcpy(&bits, b, sizeof bits);
  *out = bf16_to_float(bits);
}

void q4_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((b[2 + i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((b[2 + i] >> 4) - 8);
  }
}

void q4_1_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(b[4 + i] & 15) + m;
    out[i + 16] = d * static_cast<float>(b[4 + i] >> 4) + m;
  }
}

// Element i of a Q5_0 or Q5_1 block: four bits of `low`, the fifth from `high`.
int five_bits(const std::uint8_t* low, std::uint32_t high, int i) {
  const int nibble = i < 16 ? low[i] & 15 : low[i - 16] >> 4;
  return nibble | static_cast<int>((high >> i) & 1) << 4;
}

void q5_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  const std::uint32_t high = u32_at(b + 2);
  for (int i = 0; i < kSmallBlock; ++i)
    out[i] = d * static_cast<float>(five_bits(b + 6, high, i) - 16);
}

void q5_1_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint32_t high = u32_at(b + 4);
  for (int i = 0; i < kSmallBlock; ++i)
    out[i] = d * static_cast<float>(five_bits(b + 8, high, i)) + m;
}

void q8_0_block(const std::uint8_t* b, float* out) {
  const float d = half_at(b);
  for (int i = 0; i < kSmallBlock; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(b[2 + i]));
}

// Scale and minimum (6 bits each) of group j of a Q4_K or Q5_K block; s: the 12 bytes that pack all
// eight pairs.
std::pair<int, int> k_scale_and_min(const std::uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

// Q4_K, or Q5_K when `high` holds the fifth bits.
void k_block(const std::uint8_t* b, const std::uint8_t* high, const std::uint8_t* low, float* out) {
  const float d = half_at(b), dmin = half_at(b + 2);
  for (int j = 0; j < 8; ++j) {
    const auto [scale, min] = k_scale_and_min(b + 4, j);
    const float group_d = d * static_cast<float>(scale), group_min = dmin * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      const std::uint8_t byte = low[32 * (j / 2) + i];
      int n = j % 2 == 0 ? byte & 15 : byte >> 4;
      if (high != nullptr) n |= ((high[i] >> j) & 1) << 4;
      out[32 * j + i] = group_d * static_cast<float>(n) - group_min;
    }
  }
}

void q4_k_block(const std::uint8_t* b, float* out) { k_block(b, nullptr, b + 16, out); }
void q5_k_block(const std::uint8_t* b, float* out) { k_block(b, b + 16, b + 48, out); }

void q6_k_block(const std::uint8_t* b, float* out) {
  const std::uint8_t* low = b;
  const std::uint8_t* high = b + 128;
  const auto* scales = reinterpret_cast<const std::int8_t*>(b + 192);
  const float d = half_at(b + 208);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int part = i / 128, k = i % 128 / 32;
    const std::uint8_t byte = low[64 * part + 32 * (k & 1) + i % 32];
    const int n = (k >= 2 ? byte >> 4 : byte & 15) | ((high[32 * part + i % 32] >> (2 * k)) & 3)
                                                         << 4;
    out[i] = d * static_cast<float>(scales[i / 16]) * static_cast<float>(n - 32);
  }
}

struct BlockInfo {
  BlockType type;
  std::string_view name;
  BlockShape shape;
  void (*dequantize)(const std::uint8_t*, float*);
};

constexpr std::array kBlocks = {
    BlockInfo{BlockType::kF32, "F32", {1, 4}, f32_block},
    BlockInfo{BlockType::kF16, "F16", {1, 2}, f16_block},
    BlockInfo{BlockType::kQ4_0, "Q4_0", {kSmallBlock, 18}, q4_0_block},
    BlockInfo{BlockType::kQ4_1, "Q4_1", {kSmallBlock, 20}, q4_1_block},
    BlockInfo{BlockType::kQ5_0, "Q5_0", {kSmallBlock, 22}, q5_0_block},
    BlockInfo{BlockType::kQ5_1, "Q5_1", {kSmallBlock, 24}, q5_1_block},
    BlockInfo{BlockType::kQ8_0, "Q8_0", {kSmallBlock, 34}, q8_0_block},
    BlockInfo{BlockType::kQ4_K, "Q4_K", {kSuperBlock, 144}, q4_k_block},
    BlockInfo{BlockType::kQ5_K, "Q5_K", {kSuperBlock, 176}, q5_k_block},
    BlockInfo{BlockType::kQ6_K, "Q6_K", {kSuperBlock, 210}, q6_k_block},
    BlockInfo{BlockType::kBF16, "BF16", {1, 2}, bf16_block},
};

// Types that exist and are not read, by number.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 25> kOtherTypes = {{
    {9, "Q8_1"},    {10, "Q2_K"},    {11, "Q3_K"},  {15, "Q8_K"},   {16, "IQ2_XXS"},
    {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},
    {22, "IQ2_S"},  {23, "IQ4_XS"},  {24, "I8"},    {25, "I16"},    {26, "I32"},
    {27, "I64"},    {28, "F64"},     {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},
    {39, "MXFP4"},  {40, "NVFP4"},   {41, "Q1_0"},  {42, "Q2_0"},   {4, "Q4_2"},
}};

const BlockInfo& info_of(BlockType type) {
  for (const BlockInfo& info : kBlocks) {
    if (info.type == type) return info;
  }
  throw InternalError("unknown block type {}", static_cast<std::uint32_t>(type));
}

}  // namespace

BlockShape block_shape(BlockType type) { return info_of(type).shape; }
std::string_view block_type_name(BlockType type) { return info_of(type).name; }

BlockType block_type_from_id(std::uint32_t id, std::string_view where) {
  for (const BlockInfo& info : kBlocks) {
    if (static_cast<std::uint32_t>(info.type) == id) return info.type;
  }
  std::string_view name = "unknown";
  for (const auto& [other, other_name] : kOtherTypes) {
    if (other == id) name = other_name;
  }
  throw UserError(
      "{}: unsupported block type, expected F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, "
      "Q5_K or "
      "Q6_K, got {} (type {})",
      where, name, id);
}

void dequantize(BlockType type, std::span<const std::byte> blocks, std::span<float> values) {
  const BlockInfo& info = info_of(type);
  const auto* in = reinterpret_cast<const std::uint8_t*>(blocks.data());
  const std::size_t num_blocks = values.size() / static_cast<std::size_t>(info.shape.num_elements);
  for (std::size_t i = 0; i < num_blocks; ++i) {
    info.dequantize(in + i * static_cast<std::size_t>(info.shape.num_bytes),
                    values.data() + i * static_cast<std::size_t>(info.shape.num_elements));
  }
}

}  // namespace laurel::formats
