// Aligned working memory that a thread keeps from one op to the next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "laurel/base/aligned_array.h"

namespace laurel::kernels {

// Grows on demand; the contents do not survive growing.
class Scratch {
 public:
  float* get(std::int64_t num_floats) {
    const auto size = static_cast<std::size_t>(num_floats);
    if (size > size_) {
      memory_.reset();
      memory_ = make_aligned_array<float, kAlignment>(size);
      size_ = size;
    }
    return memory_.get();
  }

 private:
  static constexpr std::size_t kAlignment = 64;
  AlignedArray<float, kAlignment> memory_;
  std::size_t size_ = 0;
};

}  // namespace laurel::kernels
