#include "laurel/chat/jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_map>

#include "laurel/base/utf8.h"
#include "laurel/chat/jinja/lexer.h"
#include "laurel/chat/jinja/methods.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat::jinja {
namespace {

// Deeper trees are refused: they are walked by recursion.
constexpr int kMaxDepth = 200;

using Ends = std::initializer_list<std::string_view>;

class Parser {
 public:
  Parser(std::vector<Token> tokens, int& line) : tokens_(std::move(tokens)), line_(line) {}

  Template run() {
    result_.body = block({});
    return std::move(result_);
  }

 private:
  // ---- tokens ----

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    line_ = current().line;
    return token;
  }
  static bool is(const Token& token, TokenKind kind, std::string_view text) {
    return token.kind == kind && token.text == text;
  }
  bool at_operator(std::string_view text) const {
    return is(current(), TokenKind::kOperator, text);
  }
  bool at_name(std::string_view text) const { return is(current(), TokenKind::kName, text); }
  bool skip_operator(std::string_view text) { return at_operator(text) && (take(), true); }
  bool skip_name(std::string_view text) { return at_name(text) && (take(), true); }

  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kData:
        return "text";
      case TokenKind::kVariableBegin:
        return "'{{'";
      case TokenKind::kVariableEnd:
        return "'}}'";
      case TokenKind::kBlockBegin:
        return "'{%'";
      case TokenKind::kBlockEnd:
        return "'%}'";
      case TokenKind::kString:
        return "a string";
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        return "a number";
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kName:
      case TokenKind::kOperator:
        break;
    }
    return "'" + token.text + "'";
  }

  [[noreturn]] void unexpected(std::string_view expected) const {
    fail(ErrorKind::kSyntax, "expected {}, got {}", expected, describe(current()));
  }
  void expect_operator(std::string_view text) {
    if (!skip_operator(text)) unexpected(fmt::format("'{}'", text));
  }
  std::string expect_name() {
    if (current().kind != TokenKind::kName) unexpected("a name");
    return take().text;
  }
  void expect_block_end() {
    if (current().kind != TokenKind::kBlockEnd) unexpected("'%}'");
    take();
  }

  // ---- tree ----

  // One level of recursion, whatever the grammar rule.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxDepth) {
        fail(ErrorKind::kLimit, "the template is nested deeper than {} levels", kMaxDepth);
      }
    }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };

  int symbol(const std::string& name) {
    const auto [entry, is_new] =
        symbol_numbers_.try_emplace(name, static_cast<int>(result_.symbols.size()));
    if (is_new) result_.symbols.push_back(name);
    if (name == "strftime_now") result_.uses_date = true;
    return entry->second;
  }

  ExprPtr make(ExprKind kind, int line) const {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->line = line;
    return expr;
  }

  static void add(Expr& expr, ExprPtr item) {
    if (item) {
      expr.depth = std::max(expr.depth, item->depth + 1);
      if (expr.depth > kMaxDepth) {
        fail(ErrorKind::kLimit, "an expression is nested deeper than {} levels", kMaxDepth);
      }
    }
    expr.items.push_back(std::move(item));
  }

  template <typename... Items>
  ExprPtr make(ExprKind kind, int line, Items... items) const {
    ExprPtr expr = make(kind, line);
    (add(*expr, std::move(items)), ...);
    return expr;
  }

  ExprPtr constant(const Value& value, int line) const {
    ExprPtr expr = make(ExprKind::kConstant, line);
    expr->constant = value;
    return expr;
  }

  ExprPtr name_expr(const std::string& name, int line) {
    ExprPtr expr = make(ExprKind::kName, line);
    expr->text = name;
    expr->symbol = symbol(name);
    for (MacroNode* macro : open_macros_) {
      macro->uses_caller |= name == "caller";
      macro->uses_varargs |= name == "varargs";
      macro->uses_kwargs |= name == "kwargs";
    }
    return expr;
  }

  // ---- expressions, loosest first ----

  ExprPtr expression(bool with_condition = true) {
    const Level level(*this);
    return with_condition ? conditional() : either();
  }

  ExprPtr conditional() {
    const int line = current().line;
    ExprPtr value = either();
    while (skip_name("if")) {
      ++conditional_depth_;
      ExprPtr condition = either();
      ExprPtr otherwise;
      if (skip_name("else")) {
        const Level level(*this);
        otherwise = conditional();
      }
      --conditional_depth_;
      value = make(ExprKind::kConditional, line, std::move(condition), std::move(value),
                   std::move(otherwise));
    }
    return value;
  }

  ExprPtr either() {
    const int line = current().line;
    ExprPtr left = both();
    while (skip_name("or")) left = make(ExprKind::kOr, line, std::move(left), both());
    return left;
  }

  ExprPtr both() {
    const int line = current().line;
    ExprPtr left = negation();
    while (skip_name("and")) left = make(ExprKind::kAnd, line, std::move(left), negation());
    return left;
  }

  ExprPtr negation() {
    const int line = current().line;
    if (!skip_name("not")) return comparison();
    const Level level(*this);
    return make(ExprKind::kNot, line, negation());
  }

  bool comparison_operator(CompareOperator& op) {
    static constexpr std::pair<std::string_view, CompareOperator> kOperators[] = {
        {"==", CompareOperator::kEqual},  {"!=", CompareOperator::kNotEqual},
        {"<", CompareOperator::kLess},    {"<=", CompareOperator::kLessEqual},
        {">", CompareOperator::kGreater}, {">=", CompareOperator::kGreaterEqual}};
    for (const auto& [text, value] : kOperators) {
      if (skip_operator(text)) return op = value, true;
    }
    if (skip_name("in")) return op = CompareOperator::kIn, true;
    if (at_name("not") && is(ahead(), TokenKind::kName, "in")) {
      take();
      take();
      return op = CompareOperator::kNotIn, true;
    }
    return false;
  }

  ExprPtr comparison() {
    const int line = current().line;
    ExprPtr first = sum();
    CompareOperator op;
    if (!comparison_operator(op)) return first;
    ExprPtr expr = make(ExprKind::kCompare, line, std::move(first));
    do {
      expr->compares.push_back(op);
      add(*expr, sum());
    } while (comparison_operator(op));
    return expr;
  }

  ExprPtr binary_expr(BinaryOperator op, int line, ExprPtr left, ExprPtr right) const {
    ExprPtr expr = make(ExprKind::kBinary, line, std::move(left), std::move(right));
    expr->op = op;
    return expr;
  }

  ExprPtr sum() {
    const int line = current().line;
    ExprPtr left = concatenation();
    for (;;) {
      if (skip_operator("+")) {
        left = binary_expr(BinaryOperator::kAdd, line, std::move(left), concatenation());
      } else if (skip_operator("-")) {
        left = binary_expr(BinaryOperator::kSubtract, line, std::move(left), concatenation());
      } else {
        return left;
      }
    }
  }

  ExprPtr concatenation() {
    const int line = current().line;
    ExprPtr first = product();
    if (!at_operator("~")) return first;
    ExprPtr expr = make(ExprKind::kConcat, line, std::move(first));
    while (skip_operator("~")) add(*expr, product());
    return expr;
  }

  ExprPtr product() {
    static constexpr std::pair<std::string_view, BinaryOperator> kOperators[] = {
        {"*", BinaryOperator::kMultiply},
        {"/", BinaryOperator::kDivide},
        {"//", BinaryOperator::kFloorDivide},
        {"%", BinaryOperator::kModulo}};
    const int line = current().line;
    ExprPtr left = powers();
    for (;;) {
      const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                       [&](const auto& entry) { return at_operator(entry.first); });
      if (found == std::end(kOperators)) return left;
      take();
      left = binary_expr(found->second, line, std::move(left), powers());
    }
  }

  ExprPtr powers() {
    const int line = current().line;
    ExprPtr left = unary(true);
    while (skip_operator("**")) {
      left = binary_expr(BinaryOperator::kPower, line, std::move(left), unary(true));
    }
    return left;
  }

  ExprPtr unary(bool with_filters) {
    const Level level(*this);
    const int line = current().line;
    ExprPtr expr;
    if (skip_operator("-")) {
      expr = make(ExprKind::kNegate, line, unary(false));
    } else if (skip_operator("+")) {
      expr = make(ExprKind::kPlus, line, unary(false));
    } else {
      expr = primary();
    }
    expr = postfix(std::move(expr));
    return with_filters ? filters_and_tests(std::move(expr)) : std::move(expr);
  }

  ExprPtr primary() {
    const int line = current().line;
    switch (current().kind) {
      case TokenKind::kName:
        return name_or_literal();
      case TokenKind::kString: {
        ExprPtr expr = make(ExprKind::kConstant, line);
        while (current().kind == TokenKind::kString) expr->text += take().text;
        expr->constant = Value::string(expr->text);
        return expr;
      }
      case TokenKind::kInteger:
        return constant(Value::integer(take().integer), line);
      case TokenKind::kFloat:
        return constant(Value::real(take().real), line);
      default:
        break;
    }
    if (skip_operator("(")) {
      ExprPtr expr = tuple(true, {}, true);
      expect_operator(")");
      return expr;
    }
    if (at_operator("[")) return list();
    if (at_operator("{")) return dict();
    unexpected("an expression");
  }

  ExprPtr name_or_literal() {
    const int line = current().line;
    const std::string name = take().text;
    if (name == "true" || name == "True") return constant(Value::boolean(true), line);
    if (name == "false" || name == "False") return constant(Value::boolean(false), line);
    if (name == "none" || name == "None") return constant(Value::none(), line);
    return name_expr(name, line);
  }

  bool at_tuple_end(Ends ends) const {
    if (current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd)
      return true;
    if (at_operator(")")) return true;
    return std::any_of(ends.begin(), ends.end(),
                       [&](std::string_view end) { return at_name(end); });
  }

  // One expression, or several with commas between them.
  ExprPtr tuple(bool with_condition, Ends ends, bool in_parentheses) {
    ExprPtr result = make(ExprKind::kTuple, current().line);
    bool is_tuple = false;
    for (;;) {
      if (at_tuple_end(ends)) break;
      add(*result, expression(with_condition));
      if (!skip_operator(",")) break;
      is_tuple = true;
    }
    if (is_tuple) return result;
    if (!result->items.empty()) return std::move(result->items[0]);
    if (!in_parentheses) unexpected("an expression");
    return result;
  }

  ExprPtr list() {
    ExprPtr expr = make(ExprKind::kList, take().line);
    while (!at_operator("]")) {
      if (!expr->items.empty()) {
        expect_operator(",");
        if (at_operator("]")) break;
      }
      add(*expr, expression());
    }
    expect_operator("]");
    return expr;
  }

  ExprPtr dict() {
    ExprPtr expr = make(ExprKind::kDict, take().line);
    while (!at_operator("}")) {
      if (!expr->items.empty()) {
        expect_operator(",");
        if (at_operator("}")) break;
      }
      add(*expr, expression());
      expect_operator(":");
      add(*expr, expression());
    }
    expect_operator("}");
    return expr;
  }

  ExprPtr postfix(ExprPtr expr) {
    for (;;) {
      if (at_operator(".")) {
        expr = attribute_of(std::move(expr));
      } else if (at_operator("[")) {
        expr = item_of(std::move(expr));
      } else if (at_operator("(")) {
        expr = call_of(std::move(expr));
      } else {
        return expr;
      }
    }
  }

  ExprPtr filters_and_tests(ExprPtr expr) {
    for (;;) {
      if (at_operator("|")) {
        take();
        expr = filter_of(std::move(expr));
      } else if (at_name("is")) {
        expr = test_of(std::move(expr));
      } else if (at_operator("(")) {
        expr = call_of(std::move(expr));
      } else {
        return expr;
      }
    }
  }

  ExprPtr attribute_of(ExprPtr object) {
    const int line = take().line;
    if (current().kind == TokenKind::kInteger) {
      ExprPtr index = constant(Value::integer(current().integer), line);
      take();
      return make(ExprKind::kItem, line, std::move(object), std::move(index));
    }
    ExprPtr expr = make(ExprKind::kAttribute, line, std::move(object));
    expr->text = expect_name();
    expr->may_be_method = is_dict_attribute(expr->text);
    return expr;
  }

  ExprPtr item_of(ExprPtr object) {
    const int line = take().line;
    std::vector<ExprPtr> subscripts;
    std::vector<ExprPtr> bounds;  // of a slice, if there is just that
    while (!at_operator("]")) {
      if (!subscripts.empty() || !bounds.empty()) expect_operator(",");
      ExprPtr first = at_operator(":") ? nullptr : expression();
      if (!at_operator(":")) {
        subscripts.push_back(std::move(first));
        continue;
      }
      bounds = slice_bounds(std::move(first));
    }
    take();
    if (!bounds.empty()) {
      if (!subscripts.empty())
        fail(ErrorKind::kSyntax, "a slice among several subscripts is not supported");
      ExprPtr expr = make(ExprKind::kSlice, line, std::move(object));
      for (ExprPtr& bound : bounds) add(*expr, std::move(bound));
      return expr;
    }
    if (subscripts.size() == 1)
      return make(ExprKind::kItem, line, std::move(object), std::move(subscripts[0]));
    ExprPtr key = make(ExprKind::kTuple, line);
    for (ExprPtr& subscript : subscripts) add(*key, std::move(subscript));
    return make(ExprKind::kItem, line, std::move(object), std::move(key));
  }

  std::vector<ExprPtr> slice_bounds(ExprPtr start) {
    std::vector<ExprPtr> bounds(3);
    bounds[0] = std::move(start);
    for (std::size_t i = 1; i < 3 && skip_operator(":"); ++i) {
      if (!at_operator(":") && !at_operator("]") && !at_operator(",")) bounds[i] = expression();
    }
    return bounds;
  }

  ExprPtr call_of(ExprPtr function) {
    ExprPtr expr = make(ExprKind::kCall, current().line, std::move(function));
    arguments(*expr);
    return expr;
  }

  // "(…)", added to the expression's items and keywords.
  void arguments(Expr& expr) {
    expect_operator("(");
    bool first = true;
    const auto require = [](bool condition) {
      if (!condition) fail(ErrorKind::kSyntax, "invalid order of arguments in a call");
    };
    while (!at_operator(")")) {
      if (!first) {
        expect_operator(",");
        if (at_operator(")")) break;
      }
      first = false;
      if (skip_operator("*")) {
        require(!expr.more_items && !expr.more_keywords);
        expr.more_items = nested(expr);
      } else if (skip_operator("**")) {
        require(!expr.more_keywords);
        expr.more_keywords = nested(expr);
      } else if (current().kind == TokenKind::kName && is(ahead(), TokenKind::kOperator, "=")) {
        require(!expr.more_keywords);
        std::string name = take().text;
        take();
        add_keyword(expr, std::move(name));
      } else {
        require(!expr.more_items && !expr.more_keywords && expr.keywords.empty());
        add(expr, expression());
      }
    }
    take();
  }

  // An expression that is part of `expr` without being one of its items.
  ExprPtr nested(Expr& expr) {
    ExprPtr part = expression();
    expr.depth = std::max(expr.depth, part->depth + 1);
    return part;
  }

  void add_keyword(Expr& expr, std::string name) {
    for (const KeywordExpr& other : expr.keywords) {
      if (other.name == name) fail(ErrorKind::kSyntax, "keyword argument '{}' is repeated", name);
    }
    ExprPtr value = nested(expr);
    expr.keywords.push_back({std::move(name), std::move(value)});
  }

  std::string dotted_name() {
    std::string name = expect_name();
    while (skip_operator(".")) name += "." + expect_name();
    return name;
  }

  ExprPtr filter_of(ExprPtr value) {
    ExprPtr expr = make(ExprKind::kFilter, current().line, std::move(value));
    expr->text = dotted_name();
    expr->filter = find_filter(expr->text);
    if (expr->filter == nullptr && conditional_depth_ == 0) {
      fail(ErrorKind::kSyntax, "there is no filter named '{}'", expr->text);
    }
    if (at_operator("(")) arguments(*expr);
    return expr;
  }

  ExprPtr test_of(ExprPtr value) {
    const int line = take().line;
    const bool negated = skip_name("not");
    ExprPtr expr = make(ExprKind::kTest, line, std::move(value));
    expr->text = dotted_name();
    expr->test = find_test(expr->text);
    if (expr->test == nullptr && conditional_depth_ == 0) {
      fail(ErrorKind::kSyntax, "there is no test named '{}'", expr->text);
    }
    if (at_operator("(")) {
      arguments(*expr);
    } else if (starts_test_argument()) {
      if (at_name("is")) fail(ErrorKind::kSyntax, "tests cannot be chained with 'is'");
      const Level level(*this);
      add(*expr, postfix(primary()));
    }
    return negated ? make(ExprKind::kNot, line, std::move(expr)) : std::move(expr);
  }

  bool starts_test_argument() const {
    switch (current().kind) {
      case TokenKind::kName:
        return !at_name("else") && !at_name("or") && !at_name("and");
      case TokenKind::kString:
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        return true;
      default:
        return at_operator("[") || at_operator("{");
    }
  }

  // ---- statements ----

  // Up to a statement that begins with one of the names, which is left as the current token;
  // without names, up to the template's end.
  Block block(Ends ends) {
    const Level level(*this);
    Block body;
    for (;;) {
      switch (current().kind) {
        case TokenKind::kData:
          body.push_back(statement_of(StatementKind::kText));
          body.back()->text = take().text;
          break;
        case TokenKind::kVariableBegin:
          take();
          body.push_back(statement_of(StatementKind::kPrint));
          body.back()->expr = tuple(true, {}, false);
          if (current().kind != TokenKind::kVariableEnd) unexpected("'}}'");
          take();
          break;
        case TokenKind::kBlockBegin:
          take();
          if (std::any_of(ends.begin(), ends.end(),
                          [&](std::string_view end) { return at_name(end); })) {
            return body;
          }
          body.push_back(statement());
          expect_block_end();
          break;
        default:
          if (ends.size() == 0) return body;
          unexpected(fmt::format("'{{% {} %}}'", *(ends.end() - 1)));
      }
    }
  }

  // The body of a statement whose tag ends here. Takes the closing name.
  Block body_until(std::string_view end) {
    Block body = body_before({end});
    take();
    return body;
  }

  Block body_before(Ends ends) {
    skip_operator(":");
    expect_block_end();
    return block(ends);
  }

  std::unique_ptr<Statement> statement_of(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = current().line;
    return statement;
  }

  std::unique_ptr<Statement> statement() {
    using Rule = std::unique_ptr<Statement> (Parser::*)();
    static const std::unordered_map<std::string_view, Rule> kRules = {
        {"if", &Parser::if_statement},       {"for", &Parser::for_statement},
        {"set", &Parser::set_statement},     {"macro", &Parser::macro_statement},
        {"call", &Parser::call_statement},   {"filter", &Parser::filter_statement},
        {"with", &Parser::with_statement},   {"generation", &Parser::generation_statement},
        {"break", &Parser::break_statement}, {"continue", &Parser::continue_statement},
        {"print", &Parser::print_statement}};
    if (current().kind != TokenKind::kName) unexpected("the name of a statement");
    const auto rule = kRules.find(current().text);
    if (rule != kRules.end()) return (this->*rule->second)();
    for (const std::string_view name :
         {"block", "extends", "include", "import", "from", "autoescape"}) {
      if (at_name(name))
        fail(ErrorKind::kSyntax, "the statement '{}' is not supported in a chat template", name);
    }
    fail(ErrorKind::kSyntax, "unknown statement '{}'", current().text);
  }

  std::unique_ptr<Statement> if_statement() {
    auto result = statement_of(StatementKind::kIf);
    ++conditional_depth_;
    do {
      take();
      Branch branch;
      branch.condition = tuple(false, {}, false);
      branch.body = body_before({"elif", "else", "endif"});
      result->branches.push_back(std::move(branch));
    } while (at_name("elif"));
    if (skip_name("else")) {
      result->otherwise = body_until("endif");
    } else {
      take();
    }
    --conditional_depth_;
    return result;
  }

  std::unique_ptr<Statement> for_statement() {
    auto result = statement_of(StatementKind::kFor);
    take();
    result->target = target(false, {"in"});
    refuse_loop_as_target(*result->target);
    if (!skip_name("in")) unexpected("'in'");
    result->expr = tuple(false, {"recursive"}, false);
    if (skip_name("if")) result->filter = expression();
    result->recursive = skip_name("recursive");
    ++loop_depth_;
    result->body = body_before({"endfor", "else"});
    --loop_depth_;
    if (take().text == "else") result->otherwise = body_until("endfor");
    return result;
  }

  void refuse_loop_as_target(const Expr& target) const {
    if (target.kind == ExprKind::kName && target.text == "loop") {
      fail(ErrorKind::kSyntax, "the variable 'loop' cannot be assigned");
    }
    for (const ExprPtr& item : target.items) refuse_loop_as_target(*item);
  }

  // What can be assigned: a name, names with commas, and for `set` also an attribute of a
  // namespace.
  ExprPtr target(bool with_attributes, Ends ends) {
    ExprPtr result = make(ExprKind::kTuple, current().line);
    bool is_tuple = false;
    for (;;) {
      if (at_tuple_end(ends) || at_operator("=")) break;
      add(*result, single_target(with_attributes));
      if (!skip_operator(",")) break;
      is_tuple = true;
    }
    if (result->items.empty()) unexpected("a variable to assign");
    return is_tuple ? std::move(result) : std::move(result->items[0]);
  }

  ExprPtr single_target(bool with_attributes) {
    const Level level(*this);
    const int line = current().line;
    if (skip_operator("(")) {
      ExprPtr inner = target(with_attributes, {});
      expect_operator(")");
      return inner;
    }
    if (current().kind != TokenKind::kName) unexpected("a variable to assign");
    const std::string name = take().text;
    for (const std::string_view literal : {"true", "false", "none", "True", "False", "None"}) {
      if (name == literal) fail(ErrorKind::kSyntax, "cannot assign to '{}'", name);
    }
    ExprPtr expr = make(ExprKind::kName, line);
    expr->symbol = symbol(name);
    expr->text = name;
    if (with_attributes && skip_operator(".")) {
      expr->kind = ExprKind::kNamespaceAttribute;
      expr->text = expect_name();
    }
    return expr;
  }

  std::unique_ptr<Statement> set_statement() {
    auto result = statement_of(StatementKind::kSet);
    take();
    result->target = target(true, {});
    if (skip_operator("=")) {
      result->expr = tuple(true, {}, false);
      return result;
    }
    result->kind = StatementKind::kSetBlock;
    if (at_operator("|")) {
      ExprPtr filtered = make(ExprKind::kBlockText, current().line);
      while (skip_operator("|")) filtered = filter_of(std::move(filtered));
      result->expr = std::move(filtered);
    }
    result->body = body_until("endset");
    return result;
  }

  std::unique_ptr<Statement> macro_statement() {
    auto result = statement_of(StatementKind::kMacro);
    take();
    result->macro = std::make_unique<MacroNode>();
    result->macro->name = expect_name();
    result->macro->symbol = symbol(result->macro->name);
    signature(*result->macro);
    macro_body(*result->macro, "endmacro");
    return result;
  }

  void signature(MacroNode& macro) {
    expect_operator("(");
    while (!at_operator(")")) {
      if (!macro.parameters.empty()) expect_operator(",");
      const std::string name = expect_name();
      if (skip_operator("=")) {
        macro.defaults.push_back(expression());
      } else if (!macro.defaults.empty()) {
        fail(ErrorKind::kSyntax, "parameter '{}' needs a default, as the ones before it have one",
             name);
      }
      macro.parameters.push_back(symbol(name));
      macro.parameter_names.push_back(name);
    }
    take();
  }

  void macro_body(MacroNode& macro, std::string_view end) {
    open_macros_.push_back(&macro);
    const int loops = std::exchange(loop_depth_, 0);
    macro.body = body_until(end);
    loop_depth_ = loops;
    open_macros_.pop_back();
  }

  std::unique_ptr<Statement> call_statement() {
    auto result = statement_of(StatementKind::kCallBlock);
    take();
    result->macro = std::make_unique<MacroNode>();
    result->macro->name = "caller";
    if (at_operator("(")) signature(*result->macro);
    result->expr = expression();
    if (result->expr->kind != ExprKind::kCall)
      fail(ErrorKind::kSyntax, "expected a call after 'call'");
    macro_body(*result->macro, "endcall");
    return result;
  }

  std::unique_ptr<Statement> filter_statement() {
    auto result = statement_of(StatementKind::kFilterBlock);
    take();
    result->expr = filter_of(make(ExprKind::kBlockText, current().line));
    while (skip_operator("|")) result->expr = filter_of(std::move(result->expr));
    result->body = body_until("endfilter");
    return result;
  }

  std::unique_ptr<Statement> with_statement() {
    auto result = statement_of(StatementKind::kWith);
    take();
    while (current().kind != TokenKind::kBlockEnd) {
      if (!result->targets.empty()) expect_operator(",");
      result->targets.push_back(single_target(false));
      expect_operator("=");
      result->values.push_back(expression());
    }
    result->body = body_until("endwith");
    return result;
  }

  std::unique_ptr<Statement> generation_statement() {
    auto result = statement_of(StatementKind::kScope);
    take();
    result->body = body_until("endgeneration");
    return result;
  }

  std::unique_ptr<Statement> leave_loop(StatementKind kind) {
    auto result = statement_of(kind);
    if (loop_depth_ == 0) fail(ErrorKind::kSyntax, "'{}' outside a loop", current().text);
    take();
    return result;
  }
  std::unique_ptr<Statement> break_statement() { return leave_loop(StatementKind::kBreak); }
  std::unique_ptr<Statement> continue_statement() { return leave_loop(StatementKind::kContinue); }

  std::unique_ptr<Statement> print_statement() {
    auto result = statement_of(StatementKind::kPrint);
    take();
    ExprPtr text = make(ExprKind::kConcat, result->line);
    while (current().kind != TokenKind::kBlockEnd) {
      if (!text->items.empty()) expect_operator(",");
      add(*text, expression());
    }
    result->expr = std::move(text);
    return result;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int& line_;
  int depth_ = 0;
  int conditional_depth_ = 0;  // inside something that may never be evaluated
  int loop_depth_ = 0;
  std::vector<MacroNode*> open_macros_;
  std::unordered_map<std::string, int> symbol_numbers_;
  Template result_;
};

}  // namespace

Template parse_template(std::string_view source, std::string_view name) {
  if (const std::size_t bad = find_invalid_utf8(source); bad != std::string_view::npos) {
    throw TemplateError(ErrorKind::kSyntax, fmt::format("{}: invalid UTF-8 at byte {}", name, bad));
  }
  int line = 1;
  try {
    const std::string text = normalize_source(source);
    return Parser(tokenize(text, line), line).run();
  } catch (const Problem& problem) {
    throw TemplateError(problem.kind, fmt::format("{}: line {}: {}", name, line, problem.text));
  }
}

}  // namespace laurel::chat::jinja
