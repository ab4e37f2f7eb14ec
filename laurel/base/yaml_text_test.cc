#include "laurel/base/yaml_text.h"

#include <gtest/gtest.h>

namespace laurel {
namespace {

TEST(YamlText, BlockStyle) {
  const Json json = {{"license", "apache-2.0"},
                     {"tags", {"reward-model", "laurel"}},
                     {"none", nullptr},
                     {"empty", Json::array()},
                     {"index", {{{"name", "a b"}, {"results", {{{"value", 72.5}}}}}, 3}}};
  EXPECT_EQ(to_yaml(json),
            "license: apache-2.0\n"
            "tags:\n"
            "  - reward-model\n"
            "  - laurel\n"
            "none: null\n"
            "empty: []\n"
            "index:\n"
            "  - name: a b\n"
            "    results:\n"
            "      - value: 72.5\n"
            "  - 3\n");
}

// What a reader would take for something else is quoted.
TEST(YamlText, StringsStayStrings) {
  for (const char* text :
       {"",     "1",   "3e-6", "1_000", "0x1f", "2001-01-01", "1:30", "yes", "No",  "null", "~",
        ".inf", "- a", "a: b", "a #b",  "a:",   " a",         "a ",   "{a}", "[a]", "*a",   "&a",
        "!a",   "%a",  "@a",   "`a",    "'a",   "|",          ">",    "?",   "a\tb"}) {
    const std::string yaml = to_yaml(text);
    EXPECT_EQ(yaml.front(), '"') << text;
    EXPECT_EQ(yaml.substr(yaml.size() - 2), "\"\n") << text;
  }
  for (const char* text :
       {"a", "org/name", "/a/b.jsonl", "text-classification", "Llama 3.1 (8B)"}) {
    EXPECT_EQ(to_yaml(text), std::string(text) + "\n");
  }
}

TEST(YamlText, Escapes) {
  EXPECT_EQ(to_yaml("\"\\\x7f"), "\"\\\"\\\\\\U0000007f\"\n");
  EXPECT_EQ(to_yaml("grün \xf0\x9f\x8c\xbf"), "\"grün \xf0\x9f\x8c\xbf\"\n");
  EXPECT_EQ(to_yaml("a\xff"), "\"a\xef\xbf\xbd\"\n");
  EXPECT_EQ(to_yaml("\xe2\x80\xa8"), "\"\\U00002028\"\n");
}

TEST(YamlText, LiteralBlocksWhereExact) {
  EXPECT_EQ(to_yaml({{"t", "a: 1\n\n  b\n"}}), "t: |\n  a: 1\n\n    b\n");
  EXPECT_EQ(to_yaml({{"t", "a\nb"}}), "t: |-\n  a\n  b\n");
  EXPECT_EQ(to_yaml({{"t", " a\nb"}}), "t: \" a\\nb\"\n");
  EXPECT_EQ(to_yaml({{"t", "a\n\n"}}), "t: \"a\\n\\n\"\n");
  EXPECT_EQ(to_yaml({{"t", "a\r\n"}}), "t: \"a\\U0000000d\\n\"\n");
}

TEST(YamlText, NumbersHaveAPointBeforeAnExponent) {
  EXPECT_EQ(to_yaml(3e-6), "3.0e-06\n");
  EXPECT_EQ(to_yaml(1.5e-7), "1.5e-07\n");
  EXPECT_EQ(to_yaml(50.0), "50.0\n");
  EXPECT_EQ(to_yaml(2), "2\n");
  EXPECT_EQ(to_yaml(true), "true\n");
}

}  // namespace
}  // namespace laurel
