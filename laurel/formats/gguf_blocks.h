// The block types of GGUF tensors and their values as float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace laurel::formats {

// Numbers as in the format.
enum class BlockType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

struct BlockShape {
  std::int64_t num_elements;
  std::int64_t num_bytes;
};

BlockShape block_shape(BlockType type);
std::string_view block_type_name(BlockType type);  // "Q4_1"

// Throws UserError `<where>: …` naming the type if it is not one of BlockType.
BlockType block_type_from_id(std::uint32_t id, std::string_view where);

// The values of whole blocks, in the operation order of the reference (bit-exact with it).
// Precondition: sizes agree: blocks.size() = values.size() / num_elements · num_bytes.
void dequantize(BlockType type, std::span<const std::byte> blocks, std::span<float> values);

}  // namespace laurel::formats
