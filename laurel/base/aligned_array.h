// Arrays at an address that is a multiple of kAlignment, uninitialized.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace laurel {

template <std::size_t kAlignment>
struct AlignedDelete {
  void operator()(void* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
};

template <typename T, std::size_t kAlignment>
using AlignedArray = std::unique_ptr<T[], AlignedDelete<kAlignment>>;

template <typename T, std::size_t kAlignment>
AlignedArray<T, kAlignment> make_aligned_array(std::size_t size) {
  static_assert(std::is_trivial_v<T>);
  void* memory = ::operator new (size * sizeof(T), std::align_val_t{kAlignment});
  return AlignedArray<T, kAlignment>(static_cast<T*>(memory));
}

}  // namespace laurel
