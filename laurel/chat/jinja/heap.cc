#include "laurel/chat/jinja/heap.h"

#include <algorithm>
#include <cstring>

#include "laurel/chat/jinja/problem.h"

namespace laurel::chat::jinja {
namespace {

constexpr std::size_t kAlignment = alignof(std::max_align_t);
constexpr std::size_t kFirstBlock = std::size_t{16} << 10;
constexpr std::size_t kLargestBlock = std::size_t{1} << 20;

}  // namespace

void Heap::charge(std::size_t bytes) {
  if (bytes > max_bytes_ - used_bytes_) {
    fail(ErrorKind::kLimit, "the template needs too much memory, expected at most {} bytes",
         max_bytes_);
  }
  used_bytes_ += bytes;
  step_bytes(bytes);
}

void* Heap::allocate(std::size_t bytes) {
  if (bytes > max_bytes_) charge(bytes);  // also keeps the rounding below from overflowing
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  charge(bytes);
  if (bytes > left_) {
    const std::size_t doubled = kFirstBlock << std::min<std::size_t>(blocks_.size(), 6);
    left_ = std::max(bytes, std::min(doubled, kLargestBlock));
    blocks_.emplace_back(new std::byte[left_]);
    next_ = blocks_.back().get();
  }
  void* memory = next_;
  next_ += bytes;
  left_ -= bytes;
  return memory;
}

std::string_view Heap::keep(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(allocate(text.size()));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

void Heap::out_of_steps() const {
  fail(ErrorKind::kLimit, "the template takes too many steps; it may never end");
}

}  // namespace laurel::chat::jinja
