// What can go wrong with a template, as an internal exception that the interpreter turns into a
// TemplateError with the template's name and line.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::chat::jinja {

// The classes of error that jinja2 knows, plus our guards.
enum class ErrorKind {
  kSyntax,     // TemplateSyntaxError, TemplateAssertionError
  kRaised,     // raise_exception()
  kUndefined,  // UndefinedError
  kSecurity,   // SecurityError
  kRuntime,    // TypeError, ValueError, … of the template's operations
  kLimit,      // more steps, memory or nesting than we allow; integers beyond 64 bits
};

struct Problem {
  ErrorKind kind;
  std::string text;
};

template <typename... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> text, Args&&... args) {
  throw Problem{kind, fmt::format(text, std::forward<Args>(args)...)};
}

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Problem{ErrorKind::kRuntime, fmt::format(text, std::forward<Args>(args)...)};
}

// `<template>: line <n>: <text>`.
class TemplateError : public UserError {
 public:
  TemplateError(ErrorKind kind, const std::string& text) : UserError(text), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace laurel::chat::jinja
