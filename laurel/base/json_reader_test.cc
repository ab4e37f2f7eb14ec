#include "laurel/base/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/nearest.h"
#include "laurel/base/test_support.h"

namespace laurel {
namespace {

using ::testing::HasSubstr;

const Json kObject = {{"text", "x"},
                      {"count", 3},
                      {"share", 0.5},
                      {"on", true},
                      {"none", nullptr},
                      {"words", {"a", "b"}},
                      {"items", {{{"n", 1}}, {{"n", 2}}}},
                      {"inner", {{"deep", 7}}},
                      {"large", 1LL << 40}};

TEST(JsonReader, ReadsMembersByType) {
  const JsonReader reader(kObject, "file");
  std::string text;
  int count = 0;
  double share = 0;
  bool on = false;
  std::vector<std::string> words, one;
  std::int64_t deep = 0, unset = 5;
  reader.read("text", text);
  reader.read("count", count);
  reader.read("share", share);
  reader.read("on", on);
  reader.read("words", words);
  reader.read("text", one);
  reader.child("inner").read("deep", deep);
  reader.read("none", unset);
  reader.read("missing", unset);
  EXPECT_EQ(text, "x");
  EXPECT_EQ(count, 3);
  EXPECT_EQ(share, 0.5);
  EXPECT_TRUE(on);
  EXPECT_EQ(words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(one, std::vector<std::string>{"x"});
  EXPECT_EQ(deep, 7);
  EXPECT_EQ(unset, 5);
  EXPECT_EQ(reader.children("items").size(), 2u);
  EXPECT_TRUE(reader.children("missing").empty());
}

TEST(JsonReader, ErrorsNameThePlace) {
  const JsonReader reader(kObject, "file");
  int number = 0;
  std::vector<std::string> words;
  EXPECT_EQ(error_text<UserError>([&] { reader.read("large", number); }),
            "file: key \"large\": expected a 32-bit integer, got 1099511627776");
  EXPECT_EQ(error_text<UserError>([&] { reader.read("items", words); }),
            "file: key \"items\": expected strings, got {\"n\":1}");
  EXPECT_EQ(error_text<UserError>([&] { reader.child("text"); }),
            "file: text: expected an object, got string");
  EXPECT_EQ(error_text<UserError>([&] { reader.children("inner"); }),
            "file: key \"inner\": expected an array, got object");
  EXPECT_THAT(error_text<UserError>([&] { reader.children("items")[1].read("n", words); }),
              HasSubstr("file: items[1]: key \"n\""));
}

TEST(JsonReader, UnknownKeysGetAHint) {
  const Json object = {{"learnin-rate", 1}};
  const std::vector<std::string> keys = {"learning-rate", "seed"};
  EXPECT_EQ(error_text<UserError>([&] { JsonReader(object, "f").allow_only(keys); }),
            "f: unknown key \"learnin-rate\"; did you mean learning-rate?");
  const Json other = {{"zzzzzz", 1}};
  EXPECT_EQ(error_text<UserError>([&] { JsonReader(other, "f").allow_only(keys); }),
            "f: unknown key \"zzzzzz\", expected one of learning-rate, seed");
}

TEST(NearestName, WithinAThirdOfTheLength) {
  const std::vector<std::string> known = {"--benchmark", "--batch-tokens", "--data"};
  EXPECT_EQ(nearest_name("--benchmrak", known), "--benchmark");
  EXPECT_EQ(nearest_name("--dat", known), "--data");
  EXPECT_EQ(nearest_name("--output", known), "");
  EXPECT_EQ(nearest_name("x", {}), "");
}

}  // namespace
}  // namespace laurel
