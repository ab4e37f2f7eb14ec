// For this module's tests and benchmarks: random operands, and comparison with the reference within
// a derived bound.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "laurel/base/half.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/parameter.h"
#include "laurel/kernels/test_isas.h"

namespace laurel::kernels::testing {

constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1
constexpr float kPadding = 12345.0f;

// A matrix with its own memory; the elements between the rows hold kPadding.
class Grid2 {
 public:
  Grid2(std::int64_t rows, std::int64_t cols, std::int64_t extra = 0)
      : rows_(rows), cols_(cols), stride_(cols + extra) {
    values_.assign(static_cast<std::size_t>(rows_ * stride_), kPadding);
  }
  static Grid2 random(std::int64_t rows, std::int64_t cols, std::int64_t extra, std::mt19937& rng,
                      float scale = 1) {
    Grid2 grid(rows, cols, extra);
    std::normal_distribution<float> normal(0, scale);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) grid.at(r, c) = normal(rng);
    }
    return grid;
  }

  float& at(std::int64_t r, std::int64_t c) {
    return values_[static_cast<std::size_t>(r * stride_ + c)];
  }
  Matrix view() { return {values_.data(), rows_, cols_, stride_}; }
  const std::vector<float>& values() const { return values_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }

  bool padding_intact() {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = cols_; c < stride_; ++c) {
        if (at(r, c) != kPadding) return false;
      }
    }
    return true;
  }
  Grid2 absolute() const {
    Grid2 copy = *this;
    for (float& value : copy.values_) value = std::abs(value);
    return copy;
  }

 private:
  std::int64_t rows_, cols_, stride_;
  std::vector<float> values_;
};

// Stored parameters of any type, `misalignment` bytes past an aligned address.
class Stored {
 public:
  Stored(const std::vector<float>& values, DType dtype, std::size_t misalignment = 0)
      : dtype_(dtype), misalignment_(misalignment) {
    bytes_.resize(misalignment + values.size() * static_cast<std::size_t>(dtype_size(dtype)));
    unsigned char* to = bytes_.data() + misalignment;
    for (const float value : values) {
      const std::uint16_t half = dtype == DType::kBF16 ? float_to_bf16(value) : float_to_f16(value);
      const auto size = static_cast<std::size_t>(dtype_size(dtype));
      std::memcpy(to, dtype == DType::kF32 ? static_cast<const void*>(&value) : &half, size);
      to += size;
    }
  }
  Weight weight(std::int64_t out, std::int64_t in) const {
    return {bytes_.data() + misalignment_, dtype_, out, in};
  }
  VectorParameter vector(std::int64_t size) const {
    return {bytes_.data() + misalignment_, dtype_, size};
  }

 private:
  DType dtype_;
  std::size_t misalignment_;
  std::vector<unsigned char> bytes_;
};

// The types of blocks.
inline std::vector<DType> block_dtypes() {
  std::vector<DType> dtypes;
  for (const DTypeInfo& info : kDTypes) {
    if (is_quantized(info.dtype)) dtypes.push_back(info.dtype);
  }
  return dtypes;
}

// A weight in random blocks, at an odd address, and its values.
class StoredBlocks {
 public:
  StoredBlocks(std::int64_t out, std::int64_t in, DType dtype, std::mt19937& rng)
      : weight_{nullptr, dtype, out, in} {
    const DTypeInfo& info = dtype_info(dtype);
    bytes_.resize(static_cast<std::size_t>(dtype_bytes(dtype, out * in) + 1));
    for (unsigned char& byte : bytes_) byte = static_cast<unsigned char>(rng() & 255);
    weight_.data = bytes_.data() + 1;
    // The numbers that scale a block are one or two float16, at its start or, of Q6_K, its end.
    // Where there is one, the second overwrites integers.
    const std::int64_t place = dtype == DType::kQ6_K ? 208 : 0;
    std::uniform_real_distribution<float> uniform(-0.01f, 0.01f);
    for (auto at = place + 1; at < std::ssize(bytes_); at += info.block_bytes) {
      for (const std::int64_t offset : {0, 2}) {
        if (place + offset + 2 > info.block_bytes) continue;
        const std::uint16_t half = float_to_f16(uniform(rng));
        std::memcpy(bytes_.data() + at + offset, &half, sizeof(half));
      }
    }
    values_.resize(static_cast<std::size_t>(out * in));
    values_of(dtype, weight_.data, out * in, values_.data());
  }
  const Weight& weight() const { return weight_; }
  Weight as_floats() const {
    return {values_.data(), DType::kF32, weight_.out_features, weight_.in_features};
  }

 private:
  Weight weight_;
  std::vector<unsigned char> bytes_;
  std::vector<float> values_;
};

inline std::vector<float> random_values(std::int64_t count, std::mt19937& rng, float scale = 1) {
  return Grid2::random(1, count, 0, rng, scale).values();
}

// Every element of `got` within its bound of `want`; the failure names the worst.
inline void expect_close(Grid2& got, const std::vector<double>& want,
                         const std::vector<double>& bound) {
  double worst = 0;
  std::int64_t row = -1, col = -1;
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) {
      const auto i = static_cast<std::size_t>(r * got.cols() + c);
      const double error = std::abs(double{got.at(r, c)} - want[i]);
      const double ratio = error == 0 ? 0 : error / bound[i];
      if (!(ratio <= worst)) {
        worst = ratio;
        row = r;
        col = c;
      }
    }
  }
  if (worst <= 1) {
    EXPECT_TRUE(got.padding_intact()) << "written outside the matrix";
    return;
  }
  const auto i = static_cast<std::size_t>(row * got.cols() + col);
  ADD_FAILURE() << "worst element [" << row << ", " << col << "]: got " << got.at(row, col)
                << ", expected " << want[i] << " within " << bound[i] << " (" << worst
                << " times the bound)";
}

inline bool same_bits(const Grid2& a, const Grid2& b) {
  return std::ranges::equal(a.values(), b.values(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

// Runs the body on every instruction set that tests go through, then goes back to the best.
inline void for_each_isa(const std::function<void(const std::string&)>& body) {
  for (const std::string& isa : tested_isas()) {
    SCOPED_TRACE(isa);
    select_isa(isa);
    body(isa);
  }
  select_isa("best");
}

// Whether the instruction set has a fused multiply-add.
inline bool fuses(const std::string& isa) { return isa != "scalar" && isa != "sse4"; }

// All instruction sets that fuse multiply and add give the same bits, and so do all that do not.
inline void expect_same_bits_between_isas(const std::function<Grid2()>& result) {
  std::vector<Grid2> fused, plain;
  for_each_isa([&](const std::string& isa) {
    std::vector<Grid2>& kind = fuses(isa) ? fused : plain;
    kind.push_back(result());
    EXPECT_TRUE(same_bits(kind.front(), kind.back()));
  });
}

}  // namespace laurel::kernels::testing
