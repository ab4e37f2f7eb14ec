#include "laurel/formats/gguf.h"

#include <bit>
#include <cmath>
#include <cstdlib>

#include "laurel/base/hash.h"
#include "laurel/base/json.h"
#include "laurel/base/stored_values.h"
#include "laurel/formats/gguf_blocks.h"
#include "laurel/formats/gguf_convert.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/formats/test_support.h"

namespace laurel::formats {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(GgufBlocks, BitExactWithTheReference) {
  const std::string file = read_file(golden("gguf/blocks.bin"));
  std::span<const std::byte> rest = as_bytes(file);
  int num_types = 0;
  for (; !rest.empty(); ++num_types) {
    const auto head = values_of<std::uint32_t>(rest.subspan(0, 12));
    const DType type = gguf_dtype(head[0], "test");
    const auto blocks = rest.subspan(12, head[1]);
    const auto expected =
        values_of<std::uint32_t>(rest.subspan(12 + head[1], 4 * std::size_t{head[2]}));
    std::vector<float> values(head[2]);
    laurel::values_of(type, blocks.data(), head[2], values.data());
    EXPECT_EQ(values_of<std::uint32_t>(std::as_bytes(std::span<const float>(values))), expected)
        << dtype_name(type);
    rest = rest.subspan(12 + head[1] + 4 * std::size_t{head[2]});
  }
  EXPECT_EQ(num_types, 11);
}

// Builds GGUF files byte by byte.
class Maker {
 public:
  template <typename T>
  Maker& add(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Maker& text(const std::string& text) {
    add<std::uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  Maker& raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  Maker& header(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    return raw("GGUF").add(version).add(tensors).add(values);
  }
  Maker& tensor(const std::string& name, std::vector<std::uint64_t> dims, std::uint32_t type,
                std::uint64_t offset) {
    text(name).add(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) add(dim);
    return add(type).add(offset);
  }
  Maker& pad() {
    bytes_.resize((bytes_.size() + 31) / 32 * 32);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }
  std::string error() const {
    return error_of([&] { GgufFile::parse(as_bytes(bytes_), "f"); });
  }

 private:
  std::string bytes_;
};

TEST(Gguf, MetadataByType) {
  Maker maker;
  maker.header(0, 6);
  maker.text("u8").add(0u).add<std::uint8_t>(200);
  maker.text("i64").add(11u).add<std::int64_t>(-5);
  maker.text("f32").add(6u).add(0.5f);
  maker.text("flag").add(7u).add<std::uint8_t>(1);
  maker.text("names").add(9u).add(8u).add<std::uint64_t>(2).text("x").text("yz");
  maker.text("ids").add(9u).add(5u).add<std::uint64_t>(2).add(1).add(-2);
  const GgufFile file = GgufFile::parse(as_bytes(maker.bytes()), "f");
  EXPECT_EQ(file.find_int("u8"), 200);
  EXPECT_EQ(file.find_int("i64"), -5);
  EXPECT_EQ(file.find_float("f32"), 0.5);
  EXPECT_EQ(file.find_bool("flag"), true);
  EXPECT_THAT(*file.find_strings("names"), ElementsAre("x", "yz"));
  EXPECT_THAT(*file.find_ints("ids"), ElementsAre(1, -2));
  EXPECT_EQ(file.find_int("none"), std::nullopt);
  EXPECT_THAT(error_of([&] { file.find_int("f32"); }),
              HasSubstr("key f32: expected an integer, got f32"));
  EXPECT_THAT(error_of([&] { file.find_int("ids"); }),
              HasSubstr("expected an integer, got an array of i32"));
  EXPECT_THAT(error_of([&] { file.find_float("u8"); }), HasSubstr("expected a float"));
  EXPECT_THAT(error_of([&] { file.find_bool("u8"); }), HasSubstr("expected a bool"));
  EXPECT_THAT(error_of([&] { file.find_string("u8"); }), HasSubstr("expected a string"));
  EXPECT_THAT(error_of([&] { file.find_strings("ids"); }),
              HasSubstr("expected an array of string"));
  EXPECT_THAT(error_of([&] { file.find_ints("names"); }),
              HasSubstr("expected an array of integers"));
}

TEST(Gguf, EveryCheckHasItsSentence) {
  EXPECT_EQ(Maker().header(0, 0).error(), "no error");
  EXPECT_EQ(Maker().header(0, 0, 2).error(), "no error");
  EXPECT_THAT(Maker().raw("GGML").error(), HasSubstr("not a GGUF file"));
  EXPECT_THAT(Maker().header(0, 0, 1).error(), HasSubstr("version, expected 2 or 3, got 1"));
  EXPECT_THAT(Maker().header(0, 0, 0x03000000).error(), HasSubstr("big-endian"));
  EXPECT_THAT(Maker().header(0, 1).error(), HasSubstr("cut off in metadata key"));
  EXPECT_THAT(Maker().header(0, 1).text("").error(), HasSubstr("empty or invalid metadata key"));
  EXPECT_THAT(Maker().header(0, 1).text("k").add(13u).error(),
              HasSubstr("key k: unknown metadata type"));
  EXPECT_THAT(Maker().header(0, 1).text("k").add(9u).add(9u).error(), HasSubstr("nested arrays"));
  EXPECT_THAT(
      Maker().header(0, 1).text("k").add(9u).add(4u).add<std::uint64_t>((1u << 30) + 1).error(),
      HasSubstr("metadata array too long"));
  EXPECT_THAT(Maker().header(0, 1).text("k").add(9u).add(4u).add<std::uint64_t>(1u << 30).error(),
              HasSubstr("cut off"));
  EXPECT_THAT(Maker().header(0, 2).text("k").add(7u).raw("x").text("k").add(7u).raw("x").error(),
              HasSubstr("duplicate key k"));
  EXPECT_THAT(Maker().header(0, 1).text("general.alignment").add(4u).add(24u).error(),
              HasSubstr("power of two, got 24"));
  const auto one = [](std::vector<std::uint64_t> dims, std::uint32_t type,
                      std::uint64_t offset = 0) {
    return Maker()
        .header(1, 0)
        .tensor("t", std::move(dims), type, offset)
        .pad()
        .raw(std::string(64, 'x'))
        .error();
  };
  EXPECT_EQ(one({4, 4}, 0), "no error");
  EXPECT_THAT(one({4, 5}, 0), HasSubstr("tensor t: data cut off"));
  EXPECT_THAT(one({1, 1, 1, 1, 1}, 0), HasSubstr("at most 4 dimensions, got 5"));
  EXPECT_THAT(one({16, 2}, 2), HasSubstr("row length 16 is no multiple of the block of 32"));
  EXPECT_THAT(one({32}, 16),
              HasSubstr("tensor t: unsupported block type, expected F32, F16, BF16, Q4_0"));
  EXPECT_THAT(one({32}, 16), HasSubstr("got IQ2_XXS (type 16)"));
  EXPECT_THAT(one({32}, 99), HasSubstr("got unknown (type 99)"));
  EXPECT_THAT(one({4}, 0, 32), HasSubstr("wrong offset, expected 0, got 32"));
  EXPECT_THAT(one({1ull << 33, 1ull << 33}, 0), HasSubstr("overflow"));
  EXPECT_THAT(one({1ull << 63}, 0), HasSubstr("out of range"));
  EXPECT_THAT(Maker().header(1, 0).tensor("", {1}, 0, 0).error(), HasSubstr("invalid tensor name"));
  EXPECT_THAT(Maker().header(1, 0).tensor(std::string(65, 'n'), {1}, 0, 0).error(),
              HasSubstr("invalid tensor name"));
  EXPECT_THAT(Maker()
                  .header(2, 0)
                  .tensor("t", {1}, 0, 0)
                  .tensor("t", {1}, 0, 32)
                  .pad()
                  .raw(std::string(64, 'x'))
                  .error(),
              HasSubstr("duplicate tensor t"));
}

// Conversion.

class ConvertTest : public FolderTest {
 protected:
  Json config() { return read_json_file(folder_ / "out" / "config.json"); }
  Json tokenizer() { return read_json_file(folder_ / "out" / "tokenizer.json"); }

  GgufConvertResult convert(const std::string& name, std::optional<DType> dtype = DType::kF32,
                            std::uint64_t shard = 1 << 30, const std::string& to = "out") {
    return convert_gguf({golden("gguf/" + name + ".gguf"), folder_ / to, dtype, shard});
  }

  // Conversion of the golden after `edit` of its bytes.
  std::string error_after(const std::string& name, const std::function<void(std::string&)>& edit) {
    std::string file = read_file(golden("gguf/" + name + ".gguf"));
    edit(file);
    return error_of(
        [&] { plan_gguf_conversion(GgufFile::parse(as_bytes(file), "f"), DType::kF32); });
  }
  std::string error_with(const std::string& name, const std::string& from, const std::string& to) {
    return error_after(name, [&](std::string& file) {
      const std::size_t at = file.find(from);
      ASSERT_NE(at, file.npos) << from;
      ASSERT_EQ(from.size(), to.size());
      file.replace(at, to.size(), to);
    });
  }
};

TEST_F(ConvertTest, LlamaRowsAndRopeScaling) {
  const GgufConvertResult result = convert("llama_tiny");
  EXPECT_EQ(result.architecture, "LlamaForCausalLM");
  EXPECT_EQ(result.num_shards, 1);
  const TensorStore store = TensorStore::open(folder_ / "out");
  const TensorStore rows = TensorStore::open_file(golden("gguf/rows.safetensors"));
  for (const auto& [gguf_name, name] :
       {std::pair{"attn_q.weight", "q_proj.weight"}, std::pair{"attn_k.weight", "k_proj.weight"},
        std::pair{"attn_q.bias", "q_proj.bias"}}) {
    const TensorView* expected = rows.find(fmt::format("llama_tiny.blk.0.{}", gguf_name));
    const TensorView* view = store.find(fmt::format("model.layers.0.self_attn.{}", name));
    ASSERT_TRUE(expected != nullptr && view != nullptr) << name;
    EXPECT_EQ(view->shape, expected->shape);
    EXPECT_EQ(values_of<float>(view->data), values_of<float>(expected->data)) << name;
  }
  EXPECT_NE(store.find("lm_head.weight"), nullptr);
  EXPECT_EQ(config()["tie_word_embeddings"], false);
  EXPECT_EQ(config()["attention_bias"], true);
  EXPECT_EQ(config()["head_dim"], 16);
  EXPECT_EQ(config()["rms_norm_eps"], 1e-6);
  EXPECT_EQ(config()["rope_scaling"],
            Json::parse(
                R"({"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
                            "original_max_position_embeddings":8192})"));
  EXPECT_EQ(tokenizer()["model"]["ignore_merges"], true);
  EXPECT_EQ(tokenizer()["post_processor"]["single"][0]["SpecialToken"]["id"], "<bos>")
      << "this family's default";
  EXPECT_EQ(tokenizer()["model"]["vocab"].size(), 262u) << "without the unused token";
  EXPECT_EQ(tokenizer()["added_tokens"].size(), 4u);
  EXPECT_EQ(tokenizer()["added_tokens"][3]["special"], false);
  EXPECT_EQ(read_file(folder_ / "out" / "chat_template.jinja"), "{{ messages[0]['content'] }}");
}

TEST_F(ConvertTest, BlocksStayAsTheyAre) {
  for (const std::string name : {"llama_tiny", "llama_k", "qwen2_tiny"}) {
    const GgufConvertResult exact = convert(name, DType::kF32, 1 << 30, name + "_f32");
    const GgufConvertResult kept = convert(name, std::nullopt, 20000, name);
    EXPECT_EQ(kept.num_parameters, exact.num_parameters);
    EXPECT_LT(kept.num_bytes, exact.num_bytes);
    EXPECT_EQ(read_json_file(folder_ / name / "config.json")["quantization_config"],
              (Json{{"quant_method", "laurel-blocks"}, {"version", 1}}));
    const TensorStore floats = TensorStore::open(folder_ / (name + "_f32"));
    const TensorStore blocks = TensorStore::open(folder_ / name);
    ASSERT_EQ(blocks.tensors().size(), floats.tensors().size());
    bool quantized = false;
    for (const auto& [tensor, view] : blocks.tensors()) {
      const TensorView& expected = *floats.find(tensor);
      ASSERT_EQ(view.shape, expected.shape) << tensor;
      std::vector<float> values(expected.data.size() / sizeof(float));
      laurel::values_of(view.dtype, view.data.data(), std::ssize(values), values.data());
      EXPECT_EQ(values, values_of<float>(expected.data)) << tensor;
      quantized = quantized || is_quantized(view.dtype);
    }
    EXPECT_TRUE(quantized) << name;
  }
}

TEST(BlockTensors, HaveRowsOfWholeBlocks) {
  EXPECT_EQ(stored_bytes(DType::kQ4_K, std::vector<std::int64_t>{3, 512}, "t"), 3u * 288u);
  EXPECT_EQ(stored_bytes(DType::kF32, std::vector<std::int64_t>{}, "t"), 4u);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{}, std::vector<std::int64_t>{512, 3}}) {
    EXPECT_THAT(error_of([&] { stored_bytes(DType::kQ4_1, shape, "t"); }),
                HasSubstr("is no multiple of the block of 32 elements"));
  }
}

TEST_F(ConvertTest, Qwen2KeepsRowsAndShards) {
  const GgufConvertResult result = convert("qwen2_tiny", DType::kF32, 30000);
  EXPECT_EQ(result.architecture, "Qwen2ForCausalLM");
  EXPECT_GT(result.num_shards, 2);
  const TensorStore store = TensorStore::open(folder_ / "out");
  EXPECT_EQ(static_cast<std::int64_t>(store.files().size()), result.num_shards);
  EXPECT_EQ(static_cast<std::int64_t>(store.tensors().size()), result.num_tensors);
  const TensorStore rows = TensorStore::open_file(golden("gguf/rows.safetensors"));
  EXPECT_EQ(values_of<float>(store.find("model.layers.0.self_attn.q_proj.weight")->data),
            values_of<float>(rows.find("qwen2_tiny.blk.0.attn_q.weight")->data));
  EXPECT_EQ(config()["tie_word_embeddings"], true);
  EXPECT_EQ(config()["use_sliding_window"], false);
  EXPECT_EQ(tokenizer()["normalizer"]["type"], "NFC");
  EXPECT_TRUE(tokenizer()["post_processor"].is_null());
}

TEST_F(ConvertTest, Bfloat16IsRounded) {
  convert("qwen2_tiny", DType::kBF16);
  EXPECT_EQ(config()["torch_dtype"], "bfloat16");
  const TensorStore store = TensorStore::open(folder_ / "out");
  const TensorStore rows = TensorStore::open_file(golden("gguf/rows.safetensors"));
  const TensorView* view = store.find("model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(view->dtype, DType::kBF16);
  const auto bits = values_of<std::uint16_t>(view->data);
  const auto exact = values_of<float>(rows.find("qwen2_tiny.blk.0.attn_q.weight")->data);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const float value = std::bit_cast<float>(std::uint32_t{bits[i]} << 16);
    EXPECT_LE(std::abs(value - exact[i]), std::abs(exact[i]) / 256) << i;
  }
}

TEST_F(ConvertTest, Gpt2WithSuperBlocks) {
  convert("llama_k");
  EXPECT_TRUE(config()["rope_scaling"].is_null());
  EXPECT_EQ(tokenizer()["pre_tokenizer"]["type"], "ByteLevel");
  EXPECT_EQ(tokenizer()["pre_tokenizer"]["use_regex"], true);
}

TEST_F(ConvertTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_with("llama_k", "gpt-2", "gpt-9"),
              HasSubstr("unsupported pre-tokenizer, expected one of llama-bpe"));
  EXPECT_THAT(error_with("llama_k", "gpt-2", "gpt-9"), HasSubstr("got \"gpt-9\""));
  EXPECT_THAT(error_with("llama_k", "gpt2", "bert"),
              HasSubstr("unsupported tokenizer, expected \"gpt2\""));
  EXPECT_THAT(error_with("llama_k", "\5\0\0\0\0\0\0\0llama"s, "\5\0\0\0\0\0\0\0falco"s),
              HasSubstr("expected llama or qwen2"));
  EXPECT_THAT(error_with("llama_k", "blk.0.ffn_up.weight", "blk.0.ffn_xx.weight"),
              HasSubstr("blk.0.ffn_up.weight is missing"));
  EXPECT_THAT(error_with("llama_tiny", "output.weight", "outsid.weight"),
              HasSubstr("blk.0.attn_output.weight"));
  EXPECT_THAT(error_with("llama_k", "llama.block_count", "llama.block_covnt"),
              HasSubstr("llama.block_count is missing"));
  EXPECT_THAT(error_with("llama_k", "llama.embedding_length\4\0\0\0\0\1"s,
                         "llama.embedding_length\4\0\0\0\0\2"s),
              HasSubstr("wrong shape"));
  EXPECT_THAT(error_with("llama_k", "llama.attention.head_count\4\0\0\0\4"s,
                         "llama.attention.head_count\4\0\0\0\0"s),
              HasSubstr("expected a positive size, got 0"));
  EXPECT_THAT(error_with("llama_k", "llama.attention.head_count\4\0\0\0\4"s,
                         "llama.attention.head_count\4\0\0\0\5"s),
              HasSubstr("cannot share"));
  EXPECT_THAT(error_with("llama_k", "token_embd.weight", "token_embx.weight"),
              HasSubstr("token_embd.weight: missing"));
  EXPECT_THAT(error_with("llama_tiny", "blk.0.attn_output.bias", "blk.0.attn_outpux.bias"),
              HasSubstr("attention biases"));
  EXPECT_THAT(error_with("llama_tiny", "blk.0.attn_q.bias", "blk.0.attn_x.bias"),
              HasSubstr("attention biases"));
  EXPECT_THAT(error_with("llama_k", "<pad>", "<bos>"), HasSubstr("token 2 \"<bos>\" occurs twice"));
  EXPECT_THAT(error_with("llama_k", "<pad>", "<p\xff\xff>"),
              HasSubstr("token 2 is not valid UTF-8"));
  EXPECT_THAT(error_with("llama_k", "he l", "hexl"), HasSubstr("merge 1 \"hexl\""));
  EXPECT_THAT(error_with("llama_k", "tokenizer.ggml.merges", "tokenizer.ggml.mergex"),
              HasSubstr("merges is missing"));
  EXPECT_THAT(error_with("llama_k", "tokenizer.ggml.tokens", "tokenizer.ggml.tokenx"),
              HasSubstr("tokens is missing"));
  EXPECT_THAT(error_with("llama_k", "eos_token_id\4\0\0\0\1\0"s, "eos_token_id\4\0\0\0\7\7"s),
              HasSubstr("expected an id of the"));
  EXPECT_THAT(error_with("llama_tiny", "bos_token_id", "xxx_token_id"),
              HasSubstr("add_bos_token asks for it"));
  // The last tensor, eight divisors of which the first is 1.
  EXPECT_THAT(
      error_after("llama_tiny", [](std::string& file) { file[file.size() - 32 + 3] = 0x40; }),
      HasSubstr("unknown frequency scaling, expected 1 at 0"));
}

TEST_F(ConvertTest, LeavesNothingBehind) {
  EXPECT_THAT(error_of([&] { convert("llama_k", DType::kF16); }),
              HasSubstr("expected F32 or BF16"));
  fs::create_directories(folder_ / "out");
  write_file(folder_ / "out" / "mine", "x");
  EXPECT_THROW(convert("llama_k"), UserError);
  EXPECT_EQ(read_file(folder_ / "out" / "mine"), "x");
  EXPECT_THROW(convert("none"), IoError);
}

TEST_F(ConvertTest, RealModelHasTheTensorsThatTransformersReads) {
  const char* path = std::getenv("LAUREL_SMOLLM2_GGUF");
  if (path == nullptr || *path == '\0') GTEST_SKIP() << "LAUREL_SMOLLM2_GGUF is not set";
  convert_gguf({path, folder_ / "out"});
  const Json expected = read_json_file(golden("gguf/smollm2_q4_1.json"))["fingerprints"];
  const TensorStore store = TensorStore::open(folder_ / "out");
  EXPECT_EQ(store.tensors().size(), expected.size());
  for (const auto& [name, view] : store.tensors()) {
    Fingerprinter fingerprinter;
    fingerprinter.add(view.data);
    EXPECT_EQ(fingerprinter.digest(), expected.value(name, "")) << name;
  }
}

}  // namespace
}  // namespace laurel::formats
