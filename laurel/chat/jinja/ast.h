// A parsed template.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "laurel/chat/jinja/builtins.h"
#include "laurel/chat/jinja/operators.h"
#include "laurel/chat/jinja/value.h"

namespace laurel::chat::jinja {

struct Expr;
struct Statement;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<std::unique_ptr<Statement>>;

enum class ExprKind {
  kConstant,
  kName,                // symbol
  kBlockText,           // what a filter or set block has rendered
  kList,                // items
  kTuple,               // items
  kDict,                // items: key, value, key, value, …
  kNot,                 // items[0]
  kNegate,              // items[0]
  kPlus,                // items[0]
  kBinary,              // items[0] op items[1]
  kConcat,              // items, joined as text
  kAnd,                 // items[0], items[1]
  kOr,                  // items[0], items[1]
  kCompare,             // items[0] compares[0] items[1] compares[1] items[2] …
  kConditional,         // items: condition, value, other value (null if there is no else)
  kAttribute,           // items[0].text
  kItem,                // items[0][items[1]]
  kSlice,               // items[0][items[1]:items[2]:items[3]], null for parts left out
  kCall,                // items[0](items[1…], keywords)
  kFilter,              // items[0] | text(items[1…], keywords)
  kTest,                // items[0] is text(items[1…], keywords)
  kNamespaceAttribute,  // target of a set: symbol.text
};

enum class CompareOperator {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

struct KeywordExpr {
  std::string name;
  ExprPtr value;
};

struct Expr {
  ExprKind kind;
  int line = 1;
  int depth = 1;  // of the tree below, this node included
  int symbol = -1;
  std::string text;
  Value constant;
  BinaryOperator op = BinaryOperator::kAdd;
  std::vector<CompareOperator> compares;
  std::vector<ExprPtr> items;
  std::vector<KeywordExpr> keywords;
  ExprPtr more_items;       // *expression of a call
  ExprPtr more_keywords;    // **expression of a call
  Filter filter = nullptr;  // null if unknown: an error once it is reached
  Test test = nullptr;
  bool may_be_method = true;  // kAttribute: whether any builtin type has an attribute of this name
};

enum class StatementKind {
  kText,         // text
  kPrint,        // expr
  kIf,           // branches, otherwise
  kFor,          // target in expr if filter: body, otherwise
  kSet,          // target = expr
  kSetBlock,     // target = body, through the filters of expr if any
  kMacro,        // macro
  kCallBlock,    // expr, with macro as caller
  kFilterBlock,  // body through expr
  kWith,         // targets = values: body
  kScope,        // body, with variables of its own
  kBreak,
  kContinue,
};

struct Branch {
  ExprPtr condition;
  Block body;
};

struct MacroNode {
  std::string name;
  int symbol = -1;
  std::vector<int> parameters;  // symbols
  std::vector<std::string> parameter_names;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Block body;
  bool uses_caller = false;  // the body names these
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

struct Statement {
  StatementKind kind;
  int line = 1;
  std::string text;
  ExprPtr expr;
  ExprPtr target;
  ExprPtr filter;
  bool recursive = false;
  std::vector<Branch> branches;
  std::vector<ExprPtr> targets, values;
  Block body;
  Block otherwise;
  std::unique_ptr<MacroNode> macro;
};

struct Template {
  Block body;
  std::vector<std::string> symbols;  // names of variables by number
  bool uses_date = false;
};

}  // namespace laurel::chat::jinja
