#include "laurel/chat/jinja/interpreter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "laurel/chat/jinja/loop.h"
#include "laurel/chat/jinja/print.h"

namespace laurel::chat::jinja {
namespace {

// Memory of a rendering, as a multiple of its largest output.
constexpr std::size_t kMemoryFactor = 4;

// Variables of a block, in front of its parent's. Lives on the Heap.
struct Scope {
  struct Variable {
    int symbol;
    Value value;
  };
  Scope* parent = nullptr;
  Variable* variables = nullptr;
  int size = 0;
  int capacity = 0;
  bool captured = false;  // a macro refers to it, so it must not be reused
};

enum class Flow { kNormal, kBreak, kContinue };

class Interpreter;

// A macro, or the body of a call block. Lives on the Heap.
class Macro final : public Callable {
 public:
  Macro(Interpreter& interpreter, const MacroNode& node, Scope* scope)
      : interpreter_(&interpreter), node_(&node), scope_(scope) {}
  Value call(Runtime& runtime, const Arguments& arguments) const override;
  std::string_view name() const override { return node_->name; }

 private:
  Interpreter* interpreter_;
  const MacroNode* node_;
  Scope* scope_;
};

// The filtered items of a loop. Lives on the Heap.
class LoopFilter final : public Iterator {
 public:
  LoopFilter(Interpreter& interpreter, Iterator& items, const Statement& loop, Scope* scope)
      : interpreter_(&interpreter), items_(&items), loop_(&loop), scope_(scope) {}
  bool next(Runtime& runtime, Value& value) override;

 private:
  Interpreter* interpreter_;
  Iterator* items_;
  const Statement* loop_;
  Scope* scope_;
};

class RecursiveBody final : public LoopBody {
 public:
  RecursiveBody(Interpreter& interpreter, const Statement& loop, Scope* scope)
      : interpreter_(&interpreter), loop_(&loop), scope_(scope) {}
  Value render(Runtime& runtime, const Value& items, std::int64_t depth) const override;

 private:
  Interpreter* interpreter_;
  const Statement* loop_;
  Scope* scope_;
};

class Interpreter {
 public:
  Interpreter(const Template& parsed, const std::string& date, const Limits& limits, int& line)
      : template_(parsed),
        limits_(limits),
        heap_(kMemoryFactor * limits.max_output_bytes + (std::size_t{1} << 20), limits.max_steps),
        runtime_(heap_, date),
        line_(line),
        globals_(parsed.symbols.size()) {
    for (std::size_t i = 0; i < parsed.symbols.size(); ++i) {
      if (parsed.symbols[i] == "loop") loop_symbol_ = static_cast<int>(i);
    }
  }

  std::string run(const Json& variables) {
    heap_.step();
    for (std::size_t i = 0; i < template_.symbols.size(); ++i) {
      const auto found = variables.find(template_.symbols[i]);
      if (found != variables.end()) {
        globals_[i] = from_json(heap_, *found);
      } else {
        globals_[i] = find_global(runtime_, template_.symbols[i]);
      }
    }
    Scope root;
    scope_ = &root;
    execute(template_.body);
    return std::move(output_);
  }

  // ---- what the heap's objects call back ----

  Value call_macro(const MacroNode& node, Scope* closure, const Arguments& arguments) {
    const Runtime::Nesting nesting(runtime_);
    const int line = line_;
    Scope* const caller_scope = std::exchange(scope_, new_scope(closure));
    bind_parameters(node, arguments);
    const Value result = capture([&] { execute(node.body); });
    scope_ = caller_scope;
    line_ = line;
    return result;
  }

  bool passes(const Statement& loop, Scope* scope, const Value& item) {
    Scope* const outer = std::exchange(scope_, new_scope(scope));
    assign(*loop.target, item);
    const bool result = truthy(runtime_, evaluate(*loop.filter));
    scope_ = outer;
    return result;
  }

  Value render_again(const Statement& loop, Scope* scope, const Value& items, std::int64_t depth) {
    const Runtime::Nesting nesting(runtime_);
    Scope* const outer = std::exchange(scope_, scope);
    const Value result = capture([&] { run_loop(loop, items, depth); });
    scope_ = outer;
    return result;
  }

 private:
  // ---- variables ----

  Scope* new_scope(Scope* parent) {
    Scope* scope = heap_.make<Scope>();
    scope->parent = parent;
    return scope;
  }

  void define(int symbol, const Value& value) {
    Scope& scope = *scope_;
    for (int i = 0; i < scope.size; ++i) {
      if (scope.variables[i].symbol == symbol) return void(scope.variables[i].value = value);
    }
    heap_.step(scope.size);
    if (scope.size == scope.capacity) {
      scope.capacity = scope.capacity == 0 ? 4 : 2 * scope.capacity;
      auto* variables = heap_.make_array<Scope::Variable>(static_cast<std::size_t>(scope.capacity));
      std::copy_n(scope.variables, scope.size, variables);
      scope.variables = variables;
    }
    scope.variables[scope.size++] = {symbol, value};
  }

  const Value* look_up(int symbol) const {
    for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
      for (int i = scope->size - 1; i >= 0; --i) {
        if (scope->variables[i].symbol == symbol) return &scope->variables[i].value;
      }
    }
    const std::optional<Value>& global = globals_[static_cast<std::size_t>(symbol)];
    return global ? &*global : nullptr;
  }

  Value variable(const Expr& expr) {
    if (const Value* value = look_up(expr.symbol)) return *value;
    return Value::undefined(heap_.make<UndefinedInfo>(UndefinedInfo::Reason::kName, expr.text));
  }

  void capture_scopes() {
    for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent) {
      scope->captured = true;
    }
  }

  void assign(const Expr& target, const Value& value) {
    switch (target.kind) {
      case ExprKind::kName:
        return define(target.symbol, value);
      case ExprKind::kNamespaceAttribute: {
        const Value* space = look_up(target.symbol);
        if (space == nullptr || !space->is(Kind::kNamespace)) {
          fail("cannot assign the attribute '{}' of an object that is no namespace", target.text);
        }
        return jinja::assign(heap_, space->name_space(), target.text, value);
      }
      default:
        return unpack(target, value);
    }
  }

  void unpack(const Expr& target, const Value& value) {
    Iterator& items = iterate(runtime_, value);
    Value item;
    std::vector<Value> values;
    while (values.size() <= target.items.size() && items.next(runtime_, item))
      values.push_back(item);
    if (values.size() != target.items.size()) {
      fail("cannot unpack, expected {} values, got {}", target.items.size(),
           values.size() > target.items.size() ? "more" : std::to_string(values.size()));
    }
    for (std::size_t i = 0; i < values.size(); ++i) assign(*target.items[i], values[i]);
  }

  // ---- output ----

  void write(const Value& value) {
    append_str(heap_, output_, value);
    if (output_.size() > limits_.max_output_bytes) {
      fail(ErrorKind::kLimit, "the text is too long, expected at most {} bytes",
           limits_.max_output_bytes);
    }
  }

  // What body() writes, as a value.
  template <typename Body>
  Value capture(Body body) {
    std::string outer = std::exchange(output_, {});
    body();
    const std::string inner = std::exchange(output_, std::move(outer));
    return runtime_.text(inner);
  }

  // ---- statements ----

  Flow execute(const Block& block) {
    for (const auto& statement : block) {
      const Flow flow = execute(*statement);
      if (flow != Flow::kNormal) return flow;
    }
    return Flow::kNormal;
  }

  Flow execute_scoped(const Block& block) {
    Scope* const outer = std::exchange(scope_, new_scope(scope_));
    const Flow flow = execute(block);
    scope_ = outer;
    return flow;
  }

  Flow execute(const Statement& statement) {
    line_ = statement.line;
    heap_.step();
    switch (statement.kind) {
      case StatementKind::kText:
        write(Value::string(statement.text));
        return Flow::kNormal;
      case StatementKind::kPrint:
        write(evaluate(*statement.expr));
        return Flow::kNormal;
      case StatementKind::kIf:
        return if_statement(statement);
      case StatementKind::kFor:
        run_loop(statement, evaluate(*statement.expr), 0);
        return Flow::kNormal;
      case StatementKind::kSet:
        assign(*statement.target, evaluate(*statement.expr));
        return Flow::kNormal;
      case StatementKind::kSetBlock:
        assign(*statement.target, block_value(statement));
        return Flow::kNormal;
      case StatementKind::kFilterBlock:
        write(block_value(statement));
        return Flow::kNormal;
      case StatementKind::kMacro:
        define(statement.macro->symbol, macro_value(*statement.macro));
        return Flow::kNormal;
      case StatementKind::kCallBlock: {
        const Value caller = macro_value(*statement.macro);
        write(call(*statement.expr, &caller));
        return Flow::kNormal;
      }
      case StatementKind::kWith:
        return with_statement(statement);
      case StatementKind::kScope:
        return execute_scoped(statement.body);
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNormal;
  }

  Flow if_statement(const Statement& statement) {
    for (const Branch& branch : statement.branches) {
      if (truthy(runtime_, evaluate(*branch.condition))) return execute(branch.body);
    }
    return execute(statement.otherwise);
  }

  Flow with_statement(const Statement& statement) {
    std::vector<Value> values;  // all are evaluated outside the new scope
    for (const ExprPtr& value : statement.values) values.push_back(evaluate(*value));
    Scope* const outer = std::exchange(scope_, new_scope(scope_));
    for (std::size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
    const Flow flow = execute(statement.body);
    scope_ = outer;
    return flow;
  }

  // The rendered body of a set or filter block, through its filters.
  Value block_value(const Statement& statement) {
    const Value text = capture([&] { execute_scoped(statement.body); });
    if (!statement.expr) return text;
    const Value outer = std::exchange(block_text_, text);
    const Value result = evaluate(*statement.expr);
    block_text_ = outer;
    return result;
  }

  Value macro_value(const MacroNode& node) {
    capture_scopes();
    return Value::callable(heap_.make<Macro>(*this, node, scope_));
  }

  void run_loop(const Statement& statement, const Value& items, std::int64_t depth) {
    Scope* const outer = scope_;
    Iterator* iterator = &iterate(runtime_, items);
    std::optional<std::int64_t> size = length(runtime_, items);
    if (statement.filter) {
      iterator = heap_.make<LoopFilter>(*this, *iterator, statement, outer);
      size.reset();
    }
    const LoopBody* body = nullptr;
    if (statement.recursive) {
      capture_scopes();
      body = heap_.make<RecursiveBody>(*this, statement, outer);
    }
    Loop* loop = heap_.make<Loop>(*iterator, size, body, depth);
    Scope* scope = nullptr;
    bool any = false;
    for (Value item; loop->next(runtime_, item);) {
      heap_.step();
      if (scope == nullptr || scope->captured) scope = new_scope(outer);
      scope->size = 0;
      scope_ = scope;
      assign(*statement.target, item);
      if (loop_symbol_ >= 0) define(loop_symbol_, Value::loop(loop));
      const Flow flow = execute(statement.body);
      if (flow == Flow::kBreak) break;
      any |= flow == Flow::kNormal;  // jinja2 counts only iterations that reach their end
    }
    scope_ = outer;
    if (!any) execute_scoped(statement.otherwise);
  }

  // ---- expressions ----

  Value evaluate(const Expr& expr) {
    heap_.step();
    switch (expr.kind) {
      case ExprKind::kConstant:
        return expr.constant;
      case ExprKind::kName:
        return variable(expr);
      case ExprKind::kBlockText:
        return block_text_;
      case ExprKind::kAttribute:
        return attribute_value(expr);
      case ExprKind::kItem: {
        const Value object = evaluate(*expr.items[0]);
        const Value key = evaluate(*expr.items[1]);
        line_ = expr.line;
        return get_item(runtime_, object, key);
      }
      case ExprKind::kNot:
        return Value::boolean(!truthy(runtime_, evaluate(*expr.items[0])));
      case ExprKind::kAnd: {
        const Value left = evaluate(*expr.items[0]);
        return truthy(runtime_, left) ? evaluate(*expr.items[1]) : left;
      }
      case ExprKind::kOr: {
        const Value left = evaluate(*expr.items[0]);
        return truthy(runtime_, left) ? left : evaluate(*expr.items[1]);
      }
      case ExprKind::kConditional:
        return conditional(expr);
      case ExprKind::kCall:
        return call(expr, nullptr);
      case ExprKind::kFilter:
      case ExprKind::kTest:
        return filter_or_test(expr);
      default:
        return evaluate_operator(expr);
    }
  }

  Value evaluate_operator(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kBinary: {
        const Value left = evaluate(*expr.items[0]);
        const Value right = evaluate(*expr.items[1]);
        line_ = expr.line;
        return binary(runtime_, expr.op, left, right);
      }
      case ExprKind::kNegate:
        return negate(evaluate(*expr.items[0]));
      case ExprKind::kPlus:
        return plus(evaluate(*expr.items[0]));
      case ExprKind::kConcat:
        return concatenate(expr);
      case ExprKind::kCompare:
        return compare(expr);
      case ExprKind::kList:
      case ExprKind::kTuple: {
        Value* items = heap_.make_array<Value>(expr.items.size());
        for (std::size_t i = 0; i < expr.items.size(); ++i) items[i] = evaluate(*expr.items[i]);
        const Array* array = heap_.make<Array>(items, expr.items.size());
        return expr.kind == ExprKind::kList ? Value::list(array) : Value::tuple(array);
      }
      case ExprKind::kDict: {
        DictBuilder builder(heap_);
        for (std::size_t i = 0; i < expr.items.size(); i += 2) {
          const Value key = evaluate(*expr.items[i]);
          builder.set(key, evaluate(*expr.items[i + 1]));
        }
        return Value::dict(builder.finish());
      }
      case ExprKind::kSlice: {
        const Value object = evaluate(*expr.items[0]);
        Value bounds[3];
        for (std::size_t i = 0; i < 3; ++i) {
          bounds[i] = expr.items[i + 1] ? evaluate(*expr.items[i + 1]) : Value::none();
        }
        return slice(runtime_, object, bounds[0], bounds[1], bounds[2]);
      }
      default:
        throw InternalError("template expression of an unknown kind");
    }
  }

  Value attribute_value(const Expr& expr) {
    const Value object = evaluate(*expr.items[0]);
    line_ = expr.line;
    if (object.is(Kind::kDict) && !expr.may_be_method) {
      const Value* found = find(heap_, object.dict(), Value::string(expr.text));
      return found != nullptr ? *found : undefined_attribute(heap_, object, expr.text);
    }
    return get_attribute(runtime_, object, expr.text);
  }

  Value conditional(const Expr& expr) {
    if (truthy(runtime_, evaluate(*expr.items[0]))) return evaluate(*expr.items[1]);
    if (expr.items[2]) return evaluate(*expr.items[2]);
    return undefined_hint(heap_, "an inline 'if' was false and has no 'else'");
  }

  Value concatenate(const Expr& expr) {
    std::string text;
    for (const ExprPtr& item : expr.items) append_str(heap_, text, evaluate(*item));
    return runtime_.text(text);
  }

  Value compare(const Expr& expr) {
    Value left = evaluate(*expr.items[0]);
    for (std::size_t i = 0; i < expr.compares.size(); ++i) {
      const Value right = evaluate(*expr.items[i + 1]);
      line_ = expr.line;
      if (!holds(expr.compares[i], left, right)) return Value::boolean(false);
      left = right;
    }
    return Value::boolean(true);
  }

  bool holds(CompareOperator op, const Value& a, const Value& b) {
    switch (op) {
      case CompareOperator::kEqual:
        return equal(heap_, a, b);
      case CompareOperator::kNotEqual:
        return !equal(heap_, a, b);
      case CompareOperator::kLess:
        return less(heap_, a, b);
      case CompareOperator::kGreater:
        return less(heap_, b, a);
      case CompareOperator::kLessEqual:
        return less_or_equal(heap_, a, b);
      case CompareOperator::kGreaterEqual:
        return less_or_equal(heap_, b, a);
      case CompareOperator::kIn:
        return contains(runtime_, b, a);
      case CompareOperator::kNotIn:
        return !contains(runtime_, b, a);
    }
    return false;
  }

  // ---- calls ----

  // Evaluated arguments; few of them need no memory of their own.
  class ArgumentList {
   public:
    void add(const Value& value) {
      if (size_ < few_.size() && many_.empty()) {
        few_[size_++] = value;
        return;
      }
      if (many_.empty()) many_.assign(few_.begin(), few_.end());
      many_.push_back(value);
    }
    std::vector<Keyword> keywords;
    Arguments view() const {
      return {many_.empty() ? std::span<const Value>(few_.data(), size_)
                            : std::span<const Value>(many_),
              keywords};
    }

   private:
    std::array<Value, 4> few_;
    std::size_t size_ = 0;
    std::vector<Value> many_;
  };

  // Evaluates the items from the second on and the keywords.
  void evaluate_arguments(const Expr& expr, ArgumentList& arguments) {
    for (std::size_t i = 1; i < expr.items.size(); ++i) arguments.add(evaluate(*expr.items[i]));
    for (const KeywordExpr& keyword : expr.keywords) {
      arguments.keywords.push_back({keyword.name, evaluate(*keyword.value)});
    }
    if (expr.more_items) {
      const Value more = evaluate(*expr.more_items);
      for (const Value& item : collect(runtime_, more)) arguments.add(item);
    }
    if (expr.more_keywords) add_more_keywords(evaluate(*expr.more_keywords), arguments);
  }

  static void add_more_keywords(const Value& more, ArgumentList& arguments) {
    require_defined(more);
    if (!more.is(Kind::kDict))
      fail("the argument after ** must be a mapping, not {}", type_name(more));
    for (const Entry& entry : more.dict().span()) {
      if (!entry.key.is(Kind::kString)) fail("keywords must be strings");
      for (const Keyword& other : arguments.keywords) {
        if (other.name == entry.key.as_string())
          fail("two values for keyword argument '{}'", other.name);
      }
      arguments.keywords.push_back({entry.key.as_string(), entry.value});
    }
  }

  Value call(const Expr& expr, const Value* caller) {
    const Value function = evaluate(*expr.items[0]);
    ArgumentList arguments;
    evaluate_arguments(expr, arguments);
    if (caller != nullptr) arguments.keywords.push_back({"caller", *caller});
    line_ = expr.line;
    return runtime_.call(function, arguments.view());
  }

  Value filter_or_test(const Expr& expr) {
    ArgumentList arguments;
    arguments.add(evaluate(*expr.items[0]));
    evaluate_arguments(expr, arguments);
    line_ = expr.line;
    if (expr.kind == ExprKind::kFilter) {
      if (expr.filter == nullptr) fail("there is no filter named '{}'", expr.text);
      return expr.filter(runtime_, arguments.view());
    }
    if (expr.test == nullptr) fail("there is no test named '{}'", expr.text);
    return Value::boolean(expr.test(runtime_, arguments.view()));
  }

  // Defines the macro's parameters in the current scope.
  void bind_parameters(const MacroNode& node, const Arguments& arguments) {
    const std::size_t num_parameters = node.parameters.size();
    const std::size_t num_given = std::min(arguments.positional.size(), num_parameters);
    std::vector<Keyword> rest(arguments.keywords.begin(), arguments.keywords.end());
    const auto take_keyword = [&](std::string_view name) -> std::optional<Value> {
      for (auto keyword = rest.begin(); keyword != rest.end(); ++keyword) {
        if (keyword->name != name) continue;
        const Value value = keyword->value;
        rest.erase(keyword);
        return value;
      }
      return std::nullopt;
    };
    bool has_caller_parameter = false;
    for (std::size_t i = 0; i < num_parameters; ++i) {
      has_caller_parameter |= node.parameter_names[i] == "caller";
      const std::optional<Value> value = i < num_given ? std::optional(arguments.positional[i])
                                                       : take_keyword(node.parameter_names[i]);
      define(node.parameters[i], value ? *value : default_of(node, i));
    }
    if (node.uses_caller && !has_caller_parameter) bind_caller(take_keyword("caller"));
    if (node.uses_kwargs) {
      DictBuilder builder(heap_);
      for (const Keyword& keyword : rest) builder.set(Value::string(keyword.name), keyword.value);
      define_named("kwargs", Value::dict(builder.finish()));
    } else if (!rest.empty()) {
      fail("macro '{}' takes no keyword argument '{}'", node.name, rest[0].name);
    }
    const auto more = arguments.positional.subspan(num_given);
    if (node.uses_varargs) {
      define_named("varargs", make_tuple(heap_, more));
    } else if (!more.empty()) {
      fail("macro '{}' takes not more than {} arguments", node.name, num_parameters);
    }
  }

  void bind_caller(const std::optional<Value>& caller) {
    define_named("caller", caller ? *caller : undefined_hint(heap_, "no caller defined"));
  }

  Value default_of(const MacroNode& node, std::size_t parameter) {
    const std::size_t first = node.parameters.size() - node.defaults.size();
    if (parameter >= first) return evaluate(*node.defaults[parameter - first]);
    return undefined_hint(heap_, heap_.keep(fmt::format("parameter '{}' was not provided",
                                                        node.parameter_names[parameter])));
  }

  void define_named(std::string_view name, const Value& value) {
    for (std::size_t i = 0; i < template_.symbols.size(); ++i) {
      if (template_.symbols[i] == name) return define(static_cast<int>(i), value);
    }
  }

  const Template& template_;
  const Limits limits_;
  Heap heap_;
  Runtime runtime_;
  int& line_;
  std::vector<std::optional<Value>> globals_;  // by symbol
  int loop_symbol_ = -1;
  Scope* scope_ = nullptr;
  std::string output_;
  Value block_text_;
};

Value Macro::call(Runtime&, const Arguments& arguments) const {
  return interpreter_->call_macro(*node_, scope_, arguments);
}

bool LoopFilter::next(Runtime& runtime, Value& value) {
  while (items_->next(runtime, value)) {
    if (interpreter_->passes(*loop_, scope_, value)) return true;
  }
  return false;
}

Value RecursiveBody::render(Runtime&, const Value& items, std::int64_t depth) const {
  return interpreter_->render_again(*loop_, scope_, items, depth + 1);
}

}  // namespace

std::string interpret(const Template& parsed, const Json& variables, const std::string& date,
                      const Limits& limits, int& line) {
  return Interpreter(parsed, date, limits, line).run(variables);
}

}  // namespace laurel::chat::jinja
