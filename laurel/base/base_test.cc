// Errors, checked arithmetic, JSON, UTF-8, hashes and what people read: durations, counts, bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "laurel/base/checked.h"
#include "laurel/base/dtype.h"
#include "laurel/base/error.h"
#include "laurel/base/hash.h"
#include "laurel/base/json.h"
#include "laurel/base/progress.h"
#include "laurel/base/result.h"
#include "laurel/base/test_support.h"
#include "laurel/base/utf8.h"

namespace laurel {
namespace {

using ::testing::HasSubstr;

TEST(Error, TextAndExitStatus) {
  EXPECT_EQ(UserError("{}: wrong, got {}", "a.json", 3).exit_code(), 2);
  EXPECT_EQ(IoError("disk").exit_code(), 3);
  EXPECT_EQ(InternalError("bug").exit_code(), 70);
  EXPECT_STREQ(UserError("{}: wrong, got {}", "a.json", 3).what(), "a.json: wrong, got 3");
  const std::string braces = "{not a format}";
  EXPECT_EQ(UserError(braces).what(), braces);
}

TEST(Result, ValueOrReason) {
  Result<std::string> good("x");
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.value(), "x");
  EXPECT_EQ(std::move(good).value_or_throw(), "x");
  Result<std::string> bad(Failure{"line 3: {}"});
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.message(), "line 3: {}");
  EXPECT_EQ(error_text<UserError>([&] { std::move(bad).value_or_throw(); }), "line 3: {}");
}

TEST(Checked, OverflowNamesThePlace) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(checked_add<std::int64_t>(kMax - 1, 1, "here"), kMax);
  EXPECT_EQ(error_text<UserError>([] { checked_add<std::int64_t>(kMax, 1, "here"); }),
            "here: size overflow: 9223372036854775807 + 1");
  EXPECT_EQ(checked_mul<std::uint64_t>(1u << 31, 1u << 31, "here"), std::uint64_t{1} << 62);
  EXPECT_EQ(error_text<UserError>([] { checked_mul<std::uint32_t>(1u << 16, 1u << 16, "here"); }),
            "here: size overflow: 65536 * 65536");
  EXPECT_EQ((checked_cast<std::int64_t>(std::uint64_t{7}, "here")), 7);
  EXPECT_EQ(
      error_text<UserError>([] { checked_cast<std::int32_t>(std::uint64_t{1} << 31, "here"); }),
      "here: number out of range: 2147483648");
  EXPECT_EQ(error_text<UserError>([] { checked_cast<std::uint64_t>(std::int64_t{-1}, "here"); }),
            "here: number out of range: -1");
}

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(dtype_name(DType::kBF16), "BF16");
  EXPECT_EQ(dtype_name(DType::kBool), "BOOL");
  EXPECT_EQ(dtype_size(DType::kF64), 8);
  EXPECT_EQ(dtype_size(DType::kF32), 4);
  EXPECT_EQ(dtype_size(DType::kF16), 2);
  EXPECT_EQ(dtype_size(DType::kU8), 1);
}

TEST(Json, KeepsTheOrderOfKeysAndTheLastOfTwo) {
  EXPECT_EQ(to_line(parse_json(R"({"z":1,"a":[true,null,"é"]})", "x")),
            R"({"z":1,"a":[true,null,"é"]})");
  EXPECT_EQ(to_line(parse_json(R"({"a":1,"b":2,"a":3})", "x")), R"({"a":3,"b":2})");
  EXPECT_EQ(to_text(parse_json("{\"a\":1}", "x")), "{\n    \"a\": 1\n}\n");
}

TEST(Json, ReplacesInvalidBytesOnOutput) { EXPECT_EQ(to_line(Json("a\xff")), "\"a\xef\xbf\xbd\""); }

TEST(Json, RefusesWhatIsNoJson) {
  EXPECT_EQ(error_text<UserError>([] { parse_json("{\"a\":}", "c.json"); }),
            "c.json: invalid JSON at byte 6");
  EXPECT_EQ(error_text<UserError>([] { parse_json("", "c.json"); }),
            "c.json: invalid JSON at byte 1");
  EXPECT_THAT(error_text<UserError>([] { parse_json("[1e999]", "c.json"); }),
              HasSubstr("c.json: invalid JSON: "));
  for (const char* text : {"{} x", "[NaN]", "\"\xff\"", "\"\xed\xa0\x80\"", "{'a':1}", "[1,]"}) {
    EXPECT_THROW(parse_json(text, "c.json"), UserError) << text;
  }
}

TEST(Json, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(256), "x"));
  EXPECT_EQ(error_text<UserError>([&] { parse_json(nested(300), "x"); }),
            "x: JSON nested deeper than 256 levels");
  std::string wide = "{\"0\":0";
  for (int i = 1; i <= 20'000; ++i) wide += fmt::format(",\"{}\":0", i);
  EXPECT_EQ(error_text<UserError>([&] { parse_json(wide + "}", "x"); }),
            "x: JSON object with more than 20000 keys");
  EXPECT_THROW(parse_json(std::string(1'000'000, '['), "x"), UserError);
}

TEST(Json, TypedMembers) {
  const Json object = parse_json(
      R"({"i":3,"n":-2.5,"b":true,"s":"t","null":null,"big":18446744073709551615,"long":")" +
          std::string(100, 'x') + "\"}",
      "x");
  EXPECT_EQ(get_int(object, "i", "c"), 3);
  EXPECT_EQ(get_number(object, "n", "c"), -2.5);
  EXPECT_EQ(get_number(object, "i", "c"), 3.0);
  EXPECT_EQ(get_bool(object, "b", "c"), true);
  EXPECT_EQ(get_string(object, "s", "c"), "t");
  EXPECT_EQ(get_int(object, "null", "c"), std::nullopt);
  EXPECT_EQ(get_int(object, "absent", "c"), std::nullopt);
  EXPECT_EQ(get_int(Json::array(), "i", "c"), std::nullopt);
  EXPECT_EQ(error_text<UserError>([&] { get_int(object, "n", "c"); }),
            "c: key \"n\": expected an integer, got -2.5");
  EXPECT_EQ(error_text<UserError>([&] { get_int(object, "big", "c"); }),
            "c: key \"big\": expected an integer below 2^63, got 18446744073709551615");
  EXPECT_EQ(error_text<UserError>([&] { get_number(object, "b", "c"); }),
            "c: key \"b\": expected a number, got true");
  EXPECT_EQ(error_text<UserError>([&] { get_bool(object, "i", "c"); }),
            "c: key \"i\": expected true or false, got 3");
  EXPECT_EQ(error_text<UserError>([&] { get_string(object, "i", "c"); }),
            "c: key \"i\": expected a string, got 3");
  EXPECT_THAT(error_text<UserError>([&] { get_int(object, "long", "c"); }),
              ::testing::EndsWith("xxx…"));
}

TEST(Json, AShownValueIsCutBetweenCharacters) {
  const Json object = {{"k", std::string(59 - 1, 'x') + "éé"}};
  const std::string text = error_text<UserError>([&] { get_int(object, "k", "c"); });
  EXPECT_EQ(find_invalid_utf8(text), std::string::npos) << text;
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  std::string all;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code < 0xd800 || code > 0xdfff) append_utf8(all, code);
  }
  ASSERT_EQ(find_invalid_utf8(all), std::string::npos);
  std::size_t offset = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    ASSERT_EQ(decode_utf8(all, offset), code);
  }
  EXPECT_EQ(offset, all.size());
}

// All one-, two- and three-byte strings that are valid are found again among the encodings of the
// code points.
TEST(Utf8, AcceptsExactlyTheEncodings) {
  std::vector<bool> valid(1 << 24);
  for (char32_t code = 0; code < 0x10000; ++code) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    std::string text;
    append_utf8(text, code);
    if (text.size() < 3) continue;
    const auto byte = [&](std::size_t i) {
      return static_cast<unsigned>(static_cast<unsigned char>(text[i]));
    };
    valid[byte(0) << 16 | byte(1) << 8 | byte(2)] = true;
  }
  for (unsigned bits = 0xc00000; bits < 0x1000000; ++bits) {
    const char text[] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8),
                         static_cast<char>(bits)};
    const bool two_and_ascii =
        (bits >> 16) >= 0xc2 && (bits >> 16) < 0xe0 && (bits >> 14 & 3) == 2 && (bits & 0x80) == 0;
    ASSERT_EQ(find_invalid_utf8({text, 3}) == std::string::npos, valid[bits] || two_and_ascii)
        << std::hex << bits;
  }
}

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(find_invalid_utf8("ab\x80"), 2u);
  EXPECT_EQ(find_invalid_utf8("é\xc3"), 2u);             // cut off
  EXPECT_EQ(find_invalid_utf8("a\xc0\x80"), 1u);         // overlong
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(find_invalid_utf8("\xf0\x8f\xbf\xbf"), 0u);  // overlong
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(find_invalid_utf8("\xf5\x80\x80\x80"), 0u);
  EXPECT_EQ(find_invalid_utf8("\xf0\x90\x80"), 0u);
  EXPECT_EQ(find_invalid_utf8(std::string_view("a\0b", 3)), std::string::npos);
}

TEST(Hash, PiecesGiveTheHashOfTheWhole) {
  Fingerprinter pieces;
  pieces.add("ab");
  pieces.add("");
  pieces.add("c");
  EXPECT_EQ(pieces.digest(), fingerprint("abc"));
  EXPECT_EQ(fingerprint("abc"), "06b05ab6733a618578af5f94892f3950");  // XXH3-128, seed 0
  EXPECT_EQ(fingerprint(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(fingerprint("abd"), fingerprint("abc"));
}

TEST(Progress, Durations) {
  EXPECT_EQ(format_duration(0.4), "0 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_duration(3720), "1 h 02 min");
  EXPECT_EQ(format_duration(-1), "0 s");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "277777777 h 46 min");
}

TEST(Progress, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
  EXPECT_EQ(format_count(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Progress, Bytes) {
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(999'949), "999.9 kB");
  EXPECT_EQ(format_bytes(999'950), "1.0 MB");
  EXPECT_EQ(format_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "18446744.1 TB");
}

TEST(Progress, SilentWithoutATerminal) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("scoring", "tokens", 10);
    progress.update(5);
    progress.update(10, 12);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace laurel
