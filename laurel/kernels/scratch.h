// Aligned working memory that a thread keeps from one op to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace laurel::kernels {

// Grows on demand; the contents do not survive growing.
class Scratch {
 public:
  float* get(std::int64_t num_floats) {
    const auto size = static_cast<std::size_t>(num_floats);
    if (size > size_) {
      memory_.reset();
      memory_.reset(static_cast<float*>(::operator new(size * sizeof(float), kAlignment)));
      size_ = size;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<float, Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace laurel::kernels
