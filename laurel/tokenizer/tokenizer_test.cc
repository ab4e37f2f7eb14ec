#include "laurel/tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <thread>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/tokenizer/merge_symbols.h"
#include "laurel/tokenizer/overlay.h"
#include "laurel/tokenizer/regex.h"
#include "laurel/tokenizer/split_patterns.h"
#include "laurel/tokenizer/token_trie.h"
#include "laurel/tokenizer/vocabulary.h"

namespace laurel::tokenizer {
namespace {

using testing::HasSubstr;
using Ids = std::vector<TokenId>;

const std::filesystem::path kGoldens =
    std::filesystem::path(LAUREL_SOURCE_DIR) / "tests/goldens/tokenizer";

constexpr std::string_view kModel =
    R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "aa": 4}, "merges": ["a b", "a a"]})";

// A tokenizer.json of the model above and more members.
std::string file_with(std::string_view members, std::string_view model = kModel) {
  return fmt::format("{{{}{}\"model\": {}}}", members, members.empty() ? "" : ", ", model);
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::string load_error(const std::string& json, const std::string& config = {},
                       const std::string& map = {}) {
  return error_of([&] { Tokenizer::from_json(json, config, map, "t.json"); });
}

TEST(Tokenizer, RefusesDamagedFiles) {
  EXPECT_THAT(load_error(""), HasSubstr("t.json: invalid JSON"));
  EXPECT_THAT(load_error("{"), HasSubstr("t.json: invalid JSON"));
  EXPECT_THAT(load_error("[1]"), HasSubstr("t.json: invalid JSON"));
  EXPECT_THAT(load_error("{\"model\": \"\xff\"}"), HasSubstr("t.json: invalid JSON"));
  EXPECT_THAT(load_error(file_with("") + "x"), HasSubstr("invalid JSON"));
  EXPECT_THAT(load_error(file_with("") + " {}"), HasSubstr("something follows the end"));
  EXPECT_EQ(load_error("{}"), "t.json: key \"model\" is missing");
  const std::string whole = read_file(kGoldens / "llama3.tokenizer.json");
  for (std::size_t size = 0; size + 2 < whole.size(); size += 97) {
    EXPECT_THAT(load_error(whole.substr(0, size)), HasSubstr("t.json: ")) << size;
  }
}

TEST(Tokenizer, RefusesModels) {
  const auto error = [](std::string_view model) { return load_error(file_with("", model)); };
  EXPECT_THAT(error(R"({"vocab": [], "type": "Unigram"})"),
              HasSubstr("model: type \"Unigram\" is not supported"));
  EXPECT_THAT(error(R"({"vocab": {}})"), HasSubstr("model: key \"merges\" is missing"));
  EXPECT_THAT(error(R"({"merges": []})"), HasSubstr("model: key \"vocab\" is missing"));
  EXPECT_THAT(error(R"({"vocab": {"a": -1}, "merges": []})"),
              HasSubstr("token \"a\": expected an id from 0"));
  EXPECT_THAT(error(R"({"vocab": {"a": 2147483648}, "merges": []})"),
              HasSubstr("expected an id from 0"));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": ["ab"]})"),
              HasSubstr("merge 0: expected two tokens with one space between them, got \"ab\""));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": ["a b c"]})"),
              HasSubstr("expected two tokens with one space"));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": [["a"]]})"),
              HasSubstr("merge 0: expected two tokens, got 1"));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": [7]})"), HasSubstr("invalid JSON"));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": ["a b"]})"),
              HasSubstr("merge 0: token \"b\" is not in the vocabulary"));
  EXPECT_THAT(error(R"({"vocab": {"a": 0}, "merges": ["a a"]})"),
              HasSubstr("token \"aa\" is not in the vocabulary"));
  EXPECT_THAT(error(R"({"vocab": {}, "merges": [], "dropout": 0.1})"),
              HasSubstr("key \"dropout\" is not supported"));
  EXPECT_THAT(error(R"({"vocab": {}, "merges": [], "end_of_word_suffix": "x"})"),
              HasSubstr("key \"end_of_word_suffix\" is not supported"));
  EXPECT_THAT(error(R"({"vocab": {}, "merges": [], "continuing_subword_prefix": "x"})"),
              HasSubstr("key \"continuing_subword_prefix\" is not supported"));
}

TEST(Tokenizer, RefusesSections) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("normalizer": {"type": "Nmt"})",
       "t.json: normalizer: type \"Nmt\" is not supported, expected one of NFC"},
      {R"("normalizer": 3)", "normalizer: expected an object, got number"},
      {R"("normalizer": {})", "normalizer: key \"type\" is missing"},
      {R"("normalizer": {"type": "Sequence"})", "normalizer: key \"normalizers\" is missing"},
      {R"("normalizer": {"type": "Sequence", "normalizers": 1})",
       "key \"normalizers\": expected an array, got number"},
      {R"("normalizer": {"type": "Sequence", "normalizers": [null]})",
       "a normalizer of the sequence is null"},
      {R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "X"}]})",
       "normalizer[0]: type \"X\""},
      {R"("normalizer": {"type": "Strip", "strip_left": 1, "strip_right": true})",
       "key \"strip_left\": expected true or false"},
      {R"("pre_tokenizer": {"type": "Metaspace"})",
       "pre_tokenizer: type \"Metaspace\" is not supported"},
      {R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "X"}]})",
       "pre_tokenizer[0]: type \"X\""},
      {R"("pre_tokenizer": {"type": "Split", "pattern": "x"})",
       "key \"pattern\": expected {\"Regex\": …}"},
      {R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "x"}, "behavior": "Cut"})",
       "key \"behavior\": expected Removed, Isolated"},
      {R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a("}, "behavior": "Isolated", "invert": false})",
       "pre_tokenizer: invalid regular expression at byte 2: missing closing parenthesis"},
      {R"("post_processor": {"type": "X"})", "post_processor: type \"X\" is not supported"},
      {R"("post_processor": {"type": "TemplateProcessing", "single": []})",
       "the template is empty"},
      {R"("post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}]})",
       "expected sequence A, got \"B\""},
      {R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}}],
           "special_tokens": {}})",
       "key \"s\" is missing"},
      {R"("post_processor": {"type": "BertProcessing", "cls": ["a", -1], "sep": ["b", 0]})",
       "expected a token id, got -1"},
      {R"("post_processor": {"type": "BertProcessing", "cls": ["a"], "sep": ["b", 0]})",
       "key \"cls\": expected [token, id]"},
      {R"("post_processor": {"type": "Sequence", "processors": [
           {"type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 0]},
           {"type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 0]}]})",
       "post_processor[1]: a second processor that adds tokens is not supported, got "
       "\"BertProcessing\""},
      {R"("decoder": {"type": "WordPiece"})", "decoder: type \"WordPiece\" is not supported"},
      {R"("decoder": {"type": "Sequence", "decoders": []})",
       "a sequence of 0 decoders is not supported"},
      {R"("added_tokens": {})", "added_tokens: expected an array"},
      {R"("added_tokens": [{"content": "x"}])", "added_tokens[0]: key \"single_word\" is missing"},
  };
  for (const auto& [members, expected] : cases) {
    EXPECT_THAT(load_error(file_with(members)), HasSubstr(expected)) << members;
  }
}

std::string added_token(std::string_view content, int id = 9, bool normalized = false) {
  return fmt::format(
      R"({{"id": {}, "content": "{}", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": {}, "special": true}})",
      id, content, normalized);
}

TEST(Tokenizer, RefusesAddedTokens) {
  EXPECT_THAT(load_error(file_with(
                  fmt::format("\"added_tokens\": [{}]", added_token(std::string(1025, 'x'))))),
              HasSubstr("added token too long, expected at most 1024 bytes, got 1025"));
  EXPECT_THAT(
      load_error(file_with(fmt::format(
          R"("normalizer": {{"type": "Strip", "strip_left": true, "strip_right": true}}, "added_tokens": [{}])",
          added_token(" ", 9, true)))),
      HasSubstr("added token \" \" is empty after normalization"));
  EXPECT_THAT(load_error(file_with(
                  fmt::format("\"added_tokens\": [{}, {}]", added_token("z"), added_token("y")),
                  R"({"vocab": {"z": 2147483647}, "merges": []})")),
              HasSubstr("no id left above 2147483647"));
}

TEST(Tokenizer, RefusesConfigurations) {
  const auto error = [](const std::string& config) { return load_error(file_with(""), config); };
  EXPECT_THAT(error("[]"), HasSubstr("tokenizer_config.json: expected an object, got array"));
  EXPECT_THAT(error("{"), HasSubstr("tokenizer_config.json: invalid JSON"));
  EXPECT_THAT(error(R"({"tokenizer_class": "XTokenizer"})"),
              HasSubstr("tokenizer_class \"XTokenizer\""));
  EXPECT_THAT(error(R"({"tokenizer_class": "PreTrainedTokenizer"})"),
              HasSubstr("is not supported"));
  EXPECT_THAT(error(R"({"bos_token": {"content": "x"}})"),
              HasSubstr("bos_token: expected a string or an AddedToken"));
  EXPECT_THAT(error(R"({"added_tokens_decoder": []})"),
              HasSubstr("added_tokens_decoder: expected an object"));
  EXPECT_THAT(error(R"({"added_tokens_decoder": {"x": {}}})"),
              HasSubstr("expected a token id as key"));
  EXPECT_THAT(error(R"({"extra_special_tokens": ["x"]})"),
              HasSubstr("extra_special_tokens: expected an object"));
  EXPECT_THAT(error(R"({"tokenizer_class": "LlamaTokenizer", "bos_token": null})"),
              HasSubstr("add_bos_token is true, but there is no bos_token"));
  EXPECT_THAT(error(R"({"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false})"),
              HasSubstr("needs the SentencePiece model"));
  EXPECT_THAT(load_error(file_with(""), "{}", "3"),
              HasSubstr("special_tokens_map.json: expected an object"));
}

TEST(Tokenizer, FailsOnTextsByValue) {
  const Tokenizer tokenizer = Tokenizer::from_json(file_with(""));
  EXPECT_EQ(tokenizer.encode("ab\xff").message(), "text: invalid UTF-8 at byte 2");
  EXPECT_EQ(tokenizer.encode("\xed\xa0\x80").message(), "text: invalid UTF-8 at byte 0");
  const Tokenizer unknown =
      Tokenizer::from_json(file_with("", R"({"vocab": {"a": 0}, "merges": [], "unk_token": "?"})"));
  EXPECT_EQ(unknown.encode("a").value(), Ids{0});
  EXPECT_THAT(unknown.encode("x").message(), HasSubstr("unk_token \"?\" is not in the vocabulary"));
}

TEST(Tokenizer, BoundsHostilePatterns) {
  const Tokenizer slow = Tokenizer::from_json(file_with(
      R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false})"));
  EXPECT_THAT(slow.encode(std::string(64, 'a') + "!").message(),
              HasSubstr("regular expression fails on the text: match limit exceeded"));
  const Tokenizer growing = Tokenizer::from_json(file_with(fmt::format(
      R"("normalizer": {{"type": "Replace", "pattern": {{"String": "a"}}, "content": "{}"}})",
      std::string(500, 'b'))));
  EXPECT_THAT(growing.encode(std::string(100, 'a')).message(),
              HasSubstr("the text grows too much"));
  const Tokenizer prefixed = Tokenizer::from_json(file_with(fmt::format(
      R"("normalizer": {{"type": "Prepend", "prepend": "{}"}})", std::string(9000, 'b'))));
  EXPECT_THAT(prefixed.encode("a").message(), HasSubstr("the text grows too much"));
}

TEST(Tokenizer, TellsTokensAndIds) {
  const Tokenizer tokenizer =
      Tokenizer::from_json(file_with(fmt::format("\"added_tokens\": [{}]", added_token("<s>"))),
                           R"({"bos_token": "<s>"})");
  EXPECT_EQ(tokenizer.token_to_id("ab"), 2);
  EXPECT_EQ(tokenizer.token_to_id("<s>"), 5);  // the next free id, whatever the file says
  EXPECT_EQ(tokenizer.token_to_id("x"), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(3), "Ġ");
  EXPECT_EQ(tokenizer.id_to_token(5), "<s>");
  EXPECT_EQ(tokenizer.id_to_token(6), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_token(-1), std::nullopt);
  EXPECT_EQ(tokenizer.vocab_size(), 6);
  EXPECT_EQ(tokenizer.special_token("bos_token"), "<s>");
  EXPECT_EQ(tokenizer.special_token_id("bos_token"), 5);
  EXPECT_EQ(tokenizer.special_token("eos_token"), std::nullopt);
  EXPECT_EQ(tokenizer.special_token_id("eos_token"), std::nullopt);
  EXPECT_EQ(tokenizer.config().at("bos_token"), "<s>");
  EXPECT_EQ(error_of([&] { tokenizer.decode({7}); }),
            "decode: unknown token id 7, expected one below 6");
}

TEST(Tokenizer, FingerprintsItsFiles) {
  const std::string file = file_with("");
  EXPECT_EQ(Tokenizer::from_json(file).hash(), Tokenizer::from_json(file).hash());
  EXPECT_NE(Tokenizer::from_json(file).hash(), Tokenizer::from_json(file + " ").hash());
  EXPECT_NE(Tokenizer::from_json(file, "{}").hash(), Tokenizer::from_json(file, "", "{}").hash());
}

TEST(Tokenizer, LoadsDirectories) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "laurel_tokenizer_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  EXPECT_THROW(Tokenizer::load(folder), IoError);
  write_file(folder / "tokenizer.json", file_with(""));
  EXPECT_EQ(Tokenizer::load(folder).encode("ab").value(), Ids{2});
  write_file(folder / "config.json", R"({"model_type": "llama"})");
  // The class of the model's family has a BOS, even one that the file does not know.
  const Tokenizer llama = Tokenizer::load(folder);
  EXPECT_EQ(llama.encode("ab").value(), (Ids{llama.special_token_id("bos_token").value(), 2}));
  write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  EXPECT_EQ(Tokenizer::load(folder).encode("ab").value(), Ids{2});
  std::filesystem::remove_all(folder);
}

TEST(Tokenizer, KnowsTheClassesOfModels) {
  EXPECT_EQ(tokenizer_class_of_model({{"model_type", "qwen2"}}), "Qwen2TokenizerFast");
  EXPECT_EQ(tokenizer_class_of_model({{"model_type", "gpt2"}}), "GPT2TokenizerFast");
  EXPECT_EQ(tokenizer_class_of_model({{"model_type", "gemma2"}}), "GemmaTokenizerFast");
  EXPECT_EQ(tokenizer_class_of_model({{"model_type", "llama"}, {"tokenizer_class", "X"}}), "X");
  EXPECT_EQ(tokenizer_class_of_model(Json::object()), "");
}

// Long runs go through the heap; the plain scan of short words is the other road to the same ids.
TEST(Tokenizer, MergesLongRunsLikeShortOnes) {
  std::mt19937 random(5);
  MergeTable merges(60);
  for (std::uint32_t rank = 0; rank < 60; ++rank) {
    merges.set(static_cast<TokenId>(random() % 12), static_cast<TokenId>(random() % 12),
               {rank, static_cast<TokenId>(random() % 20)});
  }
  for (int round = 0; round < 2000; ++round) {
    Ids scanned(random() % 48 + 1);
    for (TokenId& id : scanned) id = static_cast<TokenId>(random() % 4);
    Ids expected = scanned;  // the definition
    for (;;) {
      std::size_t best = expected.size();
      std::uint32_t rank = MergeRule::kNoRank;
      for (std::size_t i = 0; i + 1 < expected.size(); ++i) {
        const MergeRule rule = merges.find(expected[i], expected[i + 1]);
        if (rule && rule.rank < rank) rank = rule.rank, best = i;
      }
      if (best == expected.size()) break;
      expected[best] = merges.find(expected[best], expected[best + 1]).id;
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    merge_symbols(merges, true, scanned, 0);
    EXPECT_EQ(scanned, expected);
  }
  const Tokenizer tokenizer = Tokenizer::from_json(file_with(""));
  for (const std::size_t size : {47u, 48u, 49u, 50u, 1'000'001u}) {
    Ids expected(size / 2, 4);
    if (size % 2 != 0) expected.push_back(0);
    EXPECT_EQ(tokenizer.encode(std::string(size, 'a')).value(), expected) << size;
  }
}

TEST(Tokenizer, GivesTheSameIdsOnAllThreads) {
  const Tokenizer tokenizer = Tokenizer::from_json(read_file(kGoldens / "llama3.tokenizer.json"));
  const Tokenizer other = Tokenizer::from_json(read_file(kGoldens / "smollm2.tokenizer.json"));
  const std::string text = "The reward of a good answer 12345 is higher.\n\n  don't";
  const Ids expected = tokenizer.encode(text).value(), expected_other = other.encode(text).value();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        wrong[t] += tokenizer.encode(text).value() != expected;
        wrong[t] += other.encode(text).value() != expected_other;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(Vocabulary, FindsWhatWasSet) {
  Vocabulary vocabulary;
  EXPECT_EQ(vocabulary.find("x"), std::nullopt);
  EXPECT_EQ(vocabulary.max_id(), -1);
  for (int i = 0; i < 5000; ++i) vocabulary.set(fmt::format("t{}", i), 5000 - i);
  vocabulary.set("t7", 9999);
  vocabulary.set("", 1'000'000'000);
  vocabulary.index_ids();
  EXPECT_EQ(vocabulary.size(), 5001u);
  EXPECT_EQ(vocabulary.find("t7"), 9999);
  EXPECT_EQ(vocabulary.find("t4999"), 1);
  EXPECT_EQ(vocabulary.token(1), "t4999");
  EXPECT_EQ(vocabulary.token(4993), std::nullopt);
  EXPECT_EQ(vocabulary.token(1'000'000'000), "");
  EXPECT_TRUE(vocabulary.unique_ids());
  vocabulary.set("t8", 1);
  vocabulary.index_ids();
  EXPECT_FALSE(vocabulary.unique_ids());
}

TEST(TokenTrie, FindsTheLeftmostLongest) {
  const TokenTrie trie({"bc", "abcd", "b", "ab", "bc"});
  const auto found = [&](std::string_view text, std::size_t from) -> std::vector<std::size_t> {
    const auto match = trie.find(text, from);
    if (!match) return {};
    return {match->begin, match->end, match->index};
  };
  EXPECT_EQ(found("xabcdx", 0), (std::vector<std::size_t>{1, 5, 1}));
  EXPECT_EQ(found("xabcx", 0), (std::vector<std::size_t>{1, 3, 3}));
  EXPECT_EQ(found("xabcx", 2), (std::vector<std::size_t>{2, 4, 0}));
  EXPECT_EQ(found("xabc", 3), std::vector<std::size_t>{});
  EXPECT_EQ(TokenTrie().find("x", 0), std::nullopt);
}

// The matchers against the expressions themselves, on texts of characters that matter, in all
// orders. PCRE2 does not have the same tables, but the same meaning of these.
TEST(SplitPatterns, EqualTheirExpressions) {
  const std::string llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  std::string qwen2 = llama3;
  qwen2.erase(qwen2.find("{1,3}"), 5);
  const std::string gpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  const std::string_view alphabet[] = {"a",  "é",  "'",      "s",      "S", "ſ", "l", "v",
                                       "E",  "1",  "٣",      " ",      " ", "!", "-", "\n",
                                       "\r", "\t", "\u3000", "\u00a0", "e", "r", "😀", "\u0301"};
  std::mt19937 random(11);
  for (const std::string& source : {gpt2, llama3, qwen2}) {
    const Regex regex(source, "test");
    const auto pattern = find_split_pattern(source);
    ASSERT_TRUE(pattern.has_value()) << source;
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      for (int i = 0; i < 10; ++i) text += alphabet[random() % std::size(alphabet)];
      std::size_t at = 0;
      regex.find_all(text, [&](std::size_t begin, std::size_t end) {
        ASSERT_EQ(at, begin);
        ASSERT_EQ(match_split(*pattern, std::string_view(text).substr(begin)), end - begin)
            << source << " in \"" << text << "\" at " << begin;
        at = end;
      });
      ASSERT_EQ(at, text.size());
    }
  }
}

}  // namespace
}  // namespace laurel::tokenizer
