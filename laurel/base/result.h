// A value or the one-sentence reason why there is none: for failures that belong to one item of
// many.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "laurel/base/error.h"

namespace laurel {

struct Failure {
  std::string message;  // same form as an Error's text
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Failure failure) : state_(std::move(failure)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  const T& value() const& { return std::get<T>(state_); }
  T& value() & { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }

  // Precondition: !ok().
  const std::string& message() const { return std::get<Failure>(state_).message; }

  // The value, or a UserError with the failure's text.
  T value_or_throw() && {
    if (!ok()) throw UserError(message());
    return std::get<T>(std::move(state_));
  }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace laurel
