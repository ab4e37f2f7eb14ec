// Against ids made by tokenizers 0.22.2 and transformers 4.57.6 (tools/goldens/tokenizer.py,
// tokenizer_sweep.py).
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/file.h"
#include "laurel/base/utf8.h"
#include "laurel/tokenizer/tokenizer.h"

namespace laurel::tokenizer {
namespace {

using Ids = std::vector<TokenId>;

const std::filesystem::path kGoldens =
    std::filesystem::path(LAUREL_SOURCE_DIR) / "tests/goldens/tokenizer";

Ids encode(const Tokenizer& tokenizer, const std::string& text, bool special) {
  return tokenizer.encode(text, {.add_special_tokens = special}).value_or_throw();
}

constexpr std::uint64_t kFnvStart = 0xcbf29ce484222325;

void add_to_hash(std::uint64_t& state, const Ids& ids) {
  for (const TokenId id : ids) state = (state ^ static_cast<std::uint32_t>(id)) * 0x100000001b3;
}

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

class Family : public testing::TestWithParam<std::string> {
 protected:
  Json cases_ = read_json_file(kGoldens / (GetParam() + ".cases.json"));
  Tokenizer tokenizer_ =
      Tokenizer::from_json(read_file(kGoldens / (GetParam() + ".tokenizer.json")));
};

TEST_P(Family, EncodesHardTexts) {
  for (const Json& c : cases_["cases"]) {
    const std::string text = c["text"];
    EXPECT_EQ(encode(tokenizer_, text, true), c["ids"].get<Ids>()) << text;
    EXPECT_EQ(encode(tokenizer_, text, false), c["plain"].get<Ids>()) << text;
  }
}

TEST_P(Family, Decodes) {
  for (const char* key : {"cases", "decode"}) {
    for (const Json& c : cases_[key]) {
      EXPECT_EQ(tokenizer_.decode(c["ids"].get<Ids>()), c["decoded"].get<std::string>()) << c;
    }
  }
}

// Every code point where Unicode has assigned any, in the contexts that split patterns look at.
TEST_P(Family, EncodesAllCodePoints) {
  std::vector<std::string> codes;
  for (char32_t c = 0; c < 0x110000; ++c) {
    const bool swept = c < 0x34000 || (c >= 0xe0000 && c < 0xe1000) || c % 64 == 63;
    if (swept && (c < 0xd800 || c >= 0xe000)) append_utf8(codes.emplace_back(), c);
  }
  for (std::size_t begin = 0, i = 0; begin < codes.size(); begin += 256, ++i) {
    std::string text;
    for (std::size_t k = begin; k < std::min(begin + 256, codes.size()); ++k) {
      text += codes[k] + "\na" + codes[k] + "b '" + codes[k] + " " + codes[k] + "1\n";
    }
    std::uint64_t hash = kFnvStart;
    add_to_hash(hash, encode(tokenizer_, text, false));
    ASSERT_EQ(hex(hash), cases_["sweep"].at(i).get<std::string>()) << "from " << codes[begin];
  }
}

INSTANTIATE_TEST_SUITE_P(All, Family, testing::Values("llama3", "qwen2", "smollm2"),
                         [](const auto& family) { return family.param; });

TEST(TokenizerGolden, FeaturesEqualTheReference) {
  const Json golden = read_json_file(kGoldens / "features.json");
  for (Json entry : golden["tokenizers"]) {
    Json& vocab = entry["tokenizer"]["model"]["vocab"];
    if (vocab == "common") vocab = golden["vocab"];
    const Tokenizer tokenizer = Tokenizer::from_json(to_line(entry["tokenizer"]));
    for (std::size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      const Json& ids = entry["ids"][i];
      const bool pair = !ids.empty() && ids[0].is_array();
      const std::string what = fmt::format("{}: \"{}\"", entry["name"].get<std::string>(), text);
      EXPECT_EQ(encode(tokenizer, text, true), (pair ? ids[0] : ids).get<Ids>()) << what;
      EXPECT_EQ(encode(tokenizer, text, false), (pair ? ids[1] : ids).get<Ids>()) << what;
    }
  }
}

TEST(TokenizerGolden, OverlayEqualsTransformers) {
  const Json golden = read_json_file(kGoldens / "overlay.json");
  const auto text_of = [](const Json& value) {
    return value.is_null() ? std::string() : to_line(value);
  };
  for (const Json& entry : golden["tokenizers"]) {
    const std::string name = entry["name"];
    const Tokenizer tokenizer = Tokenizer::from_json(
        to_line(entry["tokenizer"]), text_of(entry["config"]), text_of(entry["map"]));
    for (const char* role : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                             "cls_token", "mask_token"}) {
      const auto& text = tokenizer.special_token(role);
      ASSERT_EQ(text.has_value(), entry["roles"].contains(role)) << name << ": " << role;
      if (!text) continue;
      EXPECT_EQ(*text, entry["roles"][role][0].get<std::string>()) << name;
      EXPECT_EQ(tokenizer.special_token_id(role), entry["roles"][role][1].get<TokenId>()) << name;
    }
    for (std::size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      const std::string what = fmt::format("{}: \"{}\"", name, text);
      EXPECT_EQ(encode(tokenizer, text, true), entry["ids"][i][0].get<Ids>()) << what;
      EXPECT_EQ(encode(tokenizer, text, false), entry["ids"][i][1].get<Ids>()) << what;
    }
  }
}

// Real vocabularies and real text, where they are to be had.

std::filesystem::path shared_folder() {
  const char* folder = std::getenv("LAUREL_SHARED");
  return folder ? std::filesystem::path(folder)
                : std::filesystem::path(LAUREL_SOURCE_DIR).parent_path() / "shared";
}

// Also reads files that are not compressed.
std::string read_gzip(const std::filesystem::path& path) {
  std::string content;
  gzFile file = gzopen(path.c_str(), "rb");
  std::vector<char> block(1 << 20);
  for (int size; (size = gzread(file, block.data(), static_cast<unsigned>(block.size()))) > 0;) {
    content.append(block.data(), static_cast<std::size_t>(size));
  }
  gzclose(file);
  return content;
}

void collect_strings(const Json& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.push_back(value);
  if (value.is_structured()) {
    for (const Json& element : value) collect_strings(element, texts);
  }
}

std::vector<std::string> texts_of(const std::filesystem::path& path) {
  const std::string content = read_gzip(path);
  std::vector<std::string> texts;
  if (path.string().find(".jsonl") == std::string::npos) {
    collect_strings(parse_json(content, path.string()), texts);
    return texts;
  }
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    if (end > begin) {
      collect_strings(parse_json(std::string_view(content).substr(begin, end - begin), "row"),
                      texts);
    }
    begin = end + 1;
  }
  return texts;
}

std::string real_tokenizer(const std::string& family) {
  const std::filesystem::path shared = shared_folder();
  if (family == "smollm2") {
    return read_gzip(shared / "data/models/smollm2-hh-lora/smollm2_true_tokenizer.json.gz");
  }
  const std::string llama3 = read_gzip(shared / "data/tokenizers/llama3/tokenizer.json.gz");
  if (family == "llama3") return llama3;
  std::string qwen2 = llama3;  // Qwen 2's layout over Llama 3's vocabulary
  const auto replace = [&](std::string_view from, std::string_view to) {
    qwen2.replace(qwen2.find(from), from.size(), to);
  };
  replace(R"("normalizer": null)", R"("normalizer": {"type": "NFC"})");
  replace(R"("ignore_merges": true)", R"("ignore_merges": false)");
  replace("{1,3}", "");
  return qwen2;
}

class RealText : public testing::TestWithParam<std::string> {};

TEST_P(RealText, HasTheReferencesIds) {
  if (!std::filesystem::exists(shared_folder() / "data/rm_bench")) GTEST_SKIP() << "no shared data";
  const Json golden = read_json_file(kGoldens / "sweep.json");
  const Tokenizer tokenizer = Tokenizer::from_json(real_tokenizer(GetParam()));
  for (const auto& [file, expected] : golden.at(GetParam()).items()) {
    const std::vector<std::string> texts = texts_of(shared_folder() / file);
    std::uint64_t hash = kFnvStart, count = 0;
    for (const std::string& text : texts) {
      Ids ids = encode(tokenizer, text, false);
      count += ids.size();
      ids.push_back(static_cast<TokenId>(ids.size()));
      add_to_hash(hash, ids);
    }
    EXPECT_EQ(texts.size(), expected["texts"].get<std::size_t>()) << file;
    EXPECT_EQ(count, expected["ids"].get<std::uint64_t>()) << file;
    EXPECT_EQ(hex(hash), expected["hash"].get<std::string>()) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealText, testing::Values("llama3", "qwen2", "smollm2"),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace laurel::tokenizer
