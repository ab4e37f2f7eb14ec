#include "laurel/formats/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string>

#include "laurel/base/error.h"
#include "laurel/base/file.h"

namespace laurel::formats {
namespace {

constexpr std::int64_t kMaxValues = 100'000;
constexpr int kMaxDepth = 100;  // an alias may stand within what it names
constexpr std::uint64_t kMaxBytes = 16 << 20;

std::string_view skip_digits(std::string_view text) {
  while (!text.empty() && std::isdigit(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  return text;
}

std::string_view skip_sign(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  return text;
}

bool is_integer(std::string_view text) {
  const std::string_view digits = skip_sign(text);
  return !digits.empty() && skip_digits(digits).empty();
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  const std::string_view number = skip_sign(text);
  std::string_view rest = skip_digits(number);
  const bool has_whole = rest.size() < number.size();
  if (!rest.empty() && rest.front() == '.') {
    const std::string_view fraction = rest.substr(1);
    rest = skip_digits(fraction);
    if (!has_whole && rest.size() == fraction.size()) return false;
  } else if (!has_whole) {
    return false;
  }
  if (rest.empty()) return true;
  return (rest.front() == 'e' || rest.front() == 'E') && is_integer(rest.substr(1));
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

// Takes note of nothing.
class Ignorer : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// YAML::LoadAll does not end for some texts: after "," the parser finds one empty document after
// another.
bool has_several_documents(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Ignorer ignorer;
  return parser.HandleNextDocument(ignorer) && parser.HandleNextDocument(ignorer);
}

class Converter {
 public:
  explicit Converter(std::string_view where) : where_(where) {}

  Json convert(const YAML::Node& node) {
    if (++num_values_ > kMaxValues) fail(node, fmt::format("more than {} values", kMaxValues));
    if (depth_ == kMaxDepth) fail(node, fmt::format("more than {} levels", kMaxDepth));
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence:
        return sequence(node);
      case YAML::NodeType::Map:
        return map(node);
      default:
        return Json();
    }
  }

  [[noreturn]] void fail(const YAML::Mark& mark, std::string_view what) const {
    throw UserError("{}:{}: {}", where_, mark.line + 1, what);
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, std::string_view what) const {
    fail(node.Mark(), what);
  }

  Json sequence(const YAML::Node& node) {
    Json values = Json::array();
    ++depth_;
    for (const YAML::Node& item : node) values.push_back(convert(item));
    --depth_;
    return values;
  }

  Json map(const YAML::Node& node) {
    Json object = Json::object();
    ++depth_;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) fail(member.first, "expected a plain word as key");
      const std::string& key = member.first.Scalar();
      if (object.contains(key)) fail(member.first, fmt::format("key \"{}\" given twice", key));
      object[key] = convert(member.second);
    }
    --depth_;
    return object;
  }

  Json scalar(const YAML::Node& node) const {
    const std::string& text = node.Scalar();
    const std::string& tag = node.Tag();
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return text;  // quoted, or said to be text
    if (!tag.empty() && tag != "?") fail(node, fmt::format("unsupported tag {}", tag));
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return Json();
    if (is_one_of(text, {"true", "True", "TRUE"})) return true;
    if (is_one_of(text, {"false", "False", "FALSE"})) return false;
    if (is_integer(text)) return integer(node, text);
    if (is_float(text)) return floating(node, text);
    const std::string_view unsigned_text = skip_sign(text);
    if (is_one_of(unsigned_text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})) {
      fail(node, fmt::format("expected a finite number, got {}", text));
    }
    return text;
  }

  Json integer(const YAML::Node& node, std::string_view text) const {
    if (text.front() == '+') text.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) fail(node, fmt::format("integer {} is beyond 64 bits", text));
    return value;
  }

  Json floating(const YAML::Node& node, std::string_view text) const {
    if (text.front() == '+') text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value)) {
      fail(node, fmt::format("number {} is out of range", text));
    }
    return value;
  }

  std::string where_;
  std::int64_t num_values_ = 0;
  int depth_ = 0;  // lists and mappings around the current value
};

}  // namespace

Json parse_yaml(std::string_view text, std::string_view where) {
  Converter converter(where);
  try {
    const std::string copy(text);
    if (has_several_documents(copy)) {
      throw UserError("{}: expected one YAML document, got several", where);
    }
    return converter.convert(YAML::Load(copy));
  } catch (const YAML::Exception& error) {
    converter.fail(error.mark, fmt::format("invalid YAML: {}", error.msg));
  }
}

Json read_yaml_file(const std::filesystem::path& path) {
  return parse_yaml(read_file(path, kMaxBytes), path.string());
}

}  // namespace laurel::formats
