// Errors of the whole program. A failed command is an exception of one of three kinds; a failed
// item (a JSONL line, say) is a value (laurel/base/result.h).
//
// Text: `<where>: <what is wrong>, expected <x>, got <y>[; <hint>]`: lower case, no full stop.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace laurel {

// Base of the three kinds. Never thrown itself.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  // The process exit status that this kind of error ends in.
  virtual int exit_code() const = 0;
};

// The input, an option or the data is wrong.
class UserError : public Error {
 public:
  using Error::Error;
  template <typename... Args>
  explicit UserError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
  int exit_code() const override { return 2; }
};

// A file, disk, network or device failed.
class IoError : public Error {
 public:
  using Error::Error;
  template <typename... Args>
  explicit IoError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
  int exit_code() const override { return 3; }
};

// A bug of ours.
class InternalError : public Error {
 public:
  using Error::Error;
  template <typename... Args>
  explicit InternalError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
  int exit_code() const override { return 70; }
};

}  // namespace laurel
