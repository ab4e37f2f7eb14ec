// Memory and budget of one rendering. Everything a rendering makes lives here until its end and
// needs no destructor, so values are plain pointers, copying them is free, and reference cycles (a
// namespace that holds itself) cannot leak.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace laurel::chat::jinja {

class Heap {
 public:
  Heap(std::size_t max_bytes, std::int64_t max_steps)
      : max_bytes_(max_bytes), steps_left_(max_steps) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Memory for `bytes` bytes, aligned for any type. Throws Problem (kLimit) beyond the budget.
  void* allocate(std::size_t bytes);

  template <typename T, typename... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T))) T{std::forward<Args>(args)...};
  }

  template <typename T>
  T* make_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* items = static_cast<T*>(allocate(count * sizeof(T)));
    for (std::size_t i = 0; i < count; ++i) new (items + i) T();
    return items;
  }

  // A copy of the text that lives as long as the heap.
  std::string_view keep(std::string_view text);

  // Counts work. Throws Problem (kLimit) when the budget is spent.
  void step(std::int64_t count = 1) {
    if ((steps_left_ -= count) < 0) out_of_steps();
  }
  // Counts work over `bytes` bytes of text.
  void step_bytes(std::size_t bytes) { step(1 + static_cast<std::int64_t>(bytes / 64)); }
  // Counts memory held elsewhere, e.g. in an output buffer.
  void charge(std::size_t bytes);

 private:
  [[noreturn]] void out_of_steps() const;

  std::size_t max_bytes_;
  std::size_t used_bytes_ = 0;
  std::int64_t steps_left_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace laurel::chat::jinja
