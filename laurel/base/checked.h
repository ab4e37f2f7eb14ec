// Arithmetic on sizes that come from files. Overflow is a UserError naming the place.
#pragma once

#include <cstdint>
#include <string_view>

#include "laurel/base/error.h"

namespace laurel {

template <typename T>
T checked_add(T a, T b, std::string_view where) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum))
    throw UserError("{}: size overflow: {} + {}", where, a, b);
  return sum;
}

template <typename T>
T checked_mul(T a, T b, std::string_view where) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) {
    throw UserError("{}: size overflow: {} * {}", where, a, b);
  }
  return product;
}

// `value` as another integer type, or a UserError when it does not fit.
template <typename To, typename From>
To checked_cast(From value, std::string_view where) {
  To result;
  if (__builtin_add_overflow(value, From{0}, &result)) {
    throw UserError("{}: number out of range: {}", where, value);
  }
  return result;
}

}  // namespace laurel
