// Functions that every template can call.
#include <array>
#include <utility>

#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/print.h"

namespace laurel::chat::jinja {
namespace {

using Function = Value (*)(Runtime& runtime, const Arguments& arguments);

class GlobalFunction final : public Callable {
 public:
  GlobalFunction(Function function, std::string_view name) : function_(function), name_(name) {}
  Value call(Runtime& runtime, const Arguments& arguments) const override {
    return function_(runtime, arguments);
  }
  std::string_view name() const override { return name_; }

 private:
  Function function_;
  std::string_view name_;
};

Value range(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("range", arguments, {"start", "stop", "step"}, 1);
  std::array<std::int64_t, 3> numbers = {0, 0, 1};
  for (std::size_t i = 0; i < 3; ++i) {
    if (args[i] == nullptr) continue;
    require_defined(*args[i]);
    if (!args[i]->is_integral()) fail("range: expected an integer, got {}", type_name(*args[i]));
    numbers[i] = args[i]->as_int();
  }
  if (args[1] == nullptr) return make_range(runtime, 0, numbers[0], 1);
  return make_range(runtime, numbers[0], numbers[1], numbers[2]);
}

// dict(mapping or pairs, name=value, …).
const Dict* build_dict(Runtime& runtime, const Arguments& arguments) {
  DictBuilder builder(runtime.heap());
  if (arguments.positional.size() > 1) {
    fail("dict: expected at most 1 argument, got {}", arguments.positional.size());
  }
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.is(Kind::kDict)) {
      for (const Entry& entry : source.dict().span()) builder.set(entry.key, entry.value);
    } else {
      for (const Value& item : collect(runtime, source)) {
        const std::vector<Value> pair = collect(runtime, item);
        if (pair.size() != 2) fail("dict: expected pairs, got {} items", pair.size());
        builder.set(pair[0], pair[1]);
      }
    }
  }
  for (const Keyword& keyword : arguments.keywords)
    builder.set(Value::string(keyword.name), keyword.value);
  return builder.finish();
}

Value dict(Runtime& runtime, const Arguments& arguments) {
  return Value::dict(build_dict(runtime, arguments));
}

Value name_space(Runtime& runtime, const Arguments& arguments) {
  Namespace* space = runtime.heap().make<Namespace>();
  for (const Entry& entry : build_dict(runtime, arguments)->span()) {
    if (!entry.key.is(Kind::kString))
      fail("namespace: names must be strings, got {}", type_name(entry.key));
    assign(runtime.heap(), *space, entry.key.as_string(), entry.value);
  }
  return Value::name_space(space);
}

Value raise_exception(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("raise_exception", arguments, {"message"}, 1);
  fail(ErrorKind::kRaised, "{}", to_str(runtime.heap(), *args[0]));
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("strftime_now", arguments, {"format"}, 1);
  if (!args[0]->is(Kind::kString))
    fail("strftime_now: expected a string, got {}", type_name(*args[0]));
  return runtime.text(format_date(runtime.date(), args[0]->as_string()));
}

// Empty at its first call, the separator from then on.
class Joiner final : public Callable {
 public:
  Joiner(const Value& separator, bool* used) : separator_(separator), used_(used) {}
  Value call(Runtime&, const Arguments&) const override {
    if (std::exchange(*used_, true)) return separator_;
    return Value::string({});
  }
  std::string_view name() const override { return "joiner"; }

 private:
  Value separator_;
  bool* used_;
};

Value joiner(Runtime& runtime, const Arguments& arguments) {
  const auto args = bind("joiner", arguments, {"sep"});
  const Value separator = args[0] == nullptr ? Value::string(", ") : *args[0];
  return Value::callable(runtime.heap().make<Joiner>(separator, runtime.heap().make<bool>(false)));
}

struct Named {
  std::string_view name;
  Function function;
};

constexpr Named kFunctions[] = {{"range", range},
                                {"dict", dict},
                                {"namespace", name_space},
                                {"raise_exception", raise_exception},
                                {"strftime_now", strftime_now},
                                {"joiner", joiner}};

}  // namespace

std::optional<Value> find_global(Runtime& runtime, std::string_view name) {
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return Value::callable(runtime.heap().make<GlobalFunction>(function, known));
  }
  return std::nullopt;
}

}  // namespace laurel::chat::jinja
