// What builtins need of a rendering in progress.
#pragma once

#include <string>

#include "laurel/chat/jinja/callable.h"
#include "laurel/chat/jinja/heap.h"
#include "laurel/chat/jinja/problem.h"
#include "laurel/chat/jinja/value.h"

namespace laurel::chat::jinja {

class Runtime {
 public:
  Runtime(Heap& heap, std::string date) : heap_(heap), date_(std::move(date)) {}

  Heap& heap() { return heap_; }
  const std::string& date() const { return date_; }  // "YYYY-MM-DD"

  // Calls anything callable; a Problem if it is not.
  Value call(const Value& callee, const Arguments& arguments);

  // Nested calls, counted so that recursion ends before the stack does.
  class Nesting {
   public:
    explicit Nesting(Runtime& runtime);
    ~Nesting() { --runtime_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Runtime& runtime_;
  };

  Value text(std::string_view text) { return Value::string(heap_.keep(text)); }

 private:
  Heap& heap_;
  std::string date_;
  int depth_ = 0;
};

}  // namespace laurel::chat::jinja
