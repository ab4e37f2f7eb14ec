// Memory at an address that is a multiple of kAlignment, uninitialized.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace laurel {

template <std::size_t kAlignment>
struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
};

template <std::size_t kAlignment>
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete<kAlignment>>;

template <std::size_t kAlignment>
AlignedBytes<kAlignment> make_aligned_bytes(std::size_t size) {
  void* memory = ::operator new (size, std::align_val_t{kAlignment});
  return AlignedBytes<kAlignment>(static_cast<std::byte*>(memory));
}

}  // namespace laurel
