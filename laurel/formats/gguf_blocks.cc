#include "laurel/formats/gguf_blocks.h"

#include <array>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::formats {
namespace {

// Numbers as in the format.
constexpr std::array<std::pair<std::uint32_t, DType>, 11> kTypes = {{
    {0, DType::kF32},
    {1, DType::kF16},
    {2, DType::kQ4_0},
    {3, DType::kQ4_1},
    {6, DType::kQ5_0},
    {7, DType::kQ5_1},
    {8, DType::kQ8_0},
    {12, DType::kQ4_K},
    {13, DType::kQ5_K},
    {14, DType::kQ6_K},
    {30, DType::kBF16},
}};

// Types that exist and are not read, by number.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 25> kOtherTypes = {{
    {9, "Q8_1"},    {10, "Q2_K"},    {11, "Q3_K"},  {15, "Q8_K"},   {16, "IQ2_XXS"},
    {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},
    {22, "IQ2_S"},  {23, "IQ4_XS"},  {24, "I8"},    {25, "I16"},    {26, "I32"},
    {27, "I64"},    {28, "F64"},     {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},
    {39, "MXFP4"},  {40, "NVFP4"},   {41, "Q1_0"},  {42, "Q2_0"},   {4, "Q4_2"},
}};

}  // namespace

DType gguf_dtype(std::uint32_t id, std::string_view where) {
  for (const auto& [number, dtype] : kTypes) {
    if (number == id) return dtype;
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

}  // namespace laurel::formats
