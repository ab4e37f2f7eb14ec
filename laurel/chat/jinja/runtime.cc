#include "laurel/chat/jinja/runtime.h"

#include <algorithm>

#include "laurel/chat/jinja/methods.h"

namespace laurel::chat::jinja {
namespace {

constexpr int kMaxDepth = 200;

}  // namespace

Runtime::Nesting::Nesting(Runtime& runtime) : runtime_(runtime) {
  if (++runtime_.depth_ > kMaxDepth) {
    fail(ErrorKind::kLimit, "calls and loops are nested deeper than {} levels", kMaxDepth);
  }
}

Value Runtime::call(const Value& callee, const Arguments& arguments) {
  require_defined(callee);
  if (callee.is(Kind::kCallable)) return callee.callable().call(*this, arguments);
  if (callee.is(Kind::kLoop)) return call_loop(*this, callee, arguments);
  fail("'{}' object is not callable", type_name(callee));
}

void bind(std::string_view function, const Arguments& arguments,
          std::span<const std::string_view> names, std::span<const Value*> values) {
  if (arguments.positional.size() > names.size()) {
    fail("{}: expected at most {} arguments, got {}", function, names.size(),
         arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    values[i] = &arguments.positional[i];
  for (const Keyword& keyword : arguments.keywords) {
    const auto found = std::find(names.begin(), names.end(), keyword.name);
    if (found == names.end()) fail("{}: unexpected keyword argument '{}'", function, keyword.name);
    const Value*& value = values[static_cast<std::size_t>(found - names.begin())];
    if (value != nullptr) fail("{}: two values for argument '{}'", function, keyword.name);
    value = &keyword.value;
  }
}

void missing_argument(std::string_view function, std::string_view name) {
  fail("{}: missing argument '{}'", function, name);
}

}  // namespace laurel::chat::jinja
