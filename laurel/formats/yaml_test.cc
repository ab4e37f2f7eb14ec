#include "laurel/formats/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/base/yaml_text.h"

namespace laurel::formats {
namespace {

using ::testing::HasSubstr;

std::string line_of(const char* text) { return to_line(parse_yaml(text, "x.yaml")); }

std::string error_of(const std::string& text) {
  return error_text<UserError>([&] { parse_yaml(text, "x.yaml"); });
}

TEST(Yaml, CoreSchema) {
  EXPECT_EQ(line_of("a: 3e-6\nb: 1\nc: -2.5\nd: +7\ne: .5\nf: 1.\n"),
            R"({"a":3e-06,"b":1,"c":-2.5,"d":7,"e":0.5,"f":1.0})");
  EXPECT_EQ(line_of("[true, False, null, ~, yes, '1', \"null\", !!str 2, 1e, e5, -, 1-2]"),
            R"([true,false,null,null,"yes","1","null","2","1e","e5","-","1-2"])");
  EXPECT_EQ(line_of("a:\n  - b: {c: d}\n  -\n"), R"({"a":[{"b":{"c":"d"}},null]})");
  EXPECT_EQ(line_of("t: |\n  x\n  y\n"), R"({"t":"x\ny\n"})");
  EXPECT_EQ(line_of("# nothing\n"), "null");
  EXPECT_EQ(line_of("a: &x [1]\nb: *x\n"), R"({"a":[1],"b":[1]})");
}

TEST(Yaml, ErrorsNameTheLine) {
  EXPECT_THAT(error_of("a: 1\nb: [\n"), HasSubstr("x.yaml:3: invalid YAML"));
  EXPECT_EQ(error_of("a: 1\na: 2\n"), "x.yaml:2: key \"a\" given twice");
  EXPECT_EQ(error_of("a: 1\nb: .nan\n"), "x.yaml:2: expected a finite number, got .nan");
  EXPECT_EQ(error_of("99999999999999999999"),
            "x.yaml:1: integer 99999999999999999999 is beyond 64 bits");
  EXPECT_EQ(error_of("1e999"), "x.yaml:1: number 1e999 is out of range");
  EXPECT_EQ(error_of("a: !mine 1"), "x.yaml:1: unsupported tag !mine");
  EXPECT_EQ(error_of("[a]: 1"), "x.yaml:1: expected a plain word as key");
  EXPECT_EQ(error_of(", a: 1"), "x.yaml: expected one YAML document, got several");
  EXPECT_EQ(error_of("&a [1, *a]"), "x.yaml:1: more than 100 levels");
  EXPECT_EQ(error_of("a\n---\nb\n"), "x.yaml: expected one YAML document, got several");
}

TEST(Yaml, BombsOfAliasesAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    text += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 9; ++k) text += fmt::format("*a{}, ", i - 1);
    text += fmt::format("*a{}]\n", i - 1);
  }
  EXPECT_THAT(error_of(text), HasSubstr("more than 100000 values"));
}

TEST(Yaml, DeepNestingIsRefused) {
  EXPECT_THAT(error_of(std::string(100'000, '[')), HasSubstr("invalid YAML"));
}

// The writer's texts mean what they were made of.
TEST(Yaml, ReadsWhatToYamlWrites) {
  const Json values = {
      {"plain", "org/name"},
      {"words", {"yes", "null", "1", "3e-6", "a: b", "", " x ", "x\ny", "x\ny\n\n", "\t"}},
      {"block", "line: one\n\n  two\n"},
      {"text", "\"grün\" \\ \x7f \xf0\x9f\x8c\xbf"},
      {"numbers", {3e-6, -1.25, 12, 1e300, true, nullptr}},
      {"odd: key", {{{"a", 1}, {"b", {{"c", Json::array()}}}}, Json::object()}},
      {"nested", {{1, 2}, {{3}}}}};
  EXPECT_EQ(parse_yaml(to_yaml(values), "x"), values);
}

}  // namespace
}  // namespace laurel::formats
