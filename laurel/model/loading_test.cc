// Configurations and checkpoints that are refused, each with its sentence.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/model/adapter.h"
#include "laurel/model/golden_test_support.h"
#include "laurel/model/reward_model.h"
#include "laurel/model/rope.h"

namespace laurel::model {
namespace {

namespace fs = std::filesystem;

// The error's text with the directory taken out, or "no error".
std::string error_of(const std::function<void()>& action, const fs::path& directory = {}) {
  try {
    action();
  } catch (const Error& error) {
    std::string text = error.what();
    const std::string prefix = directory.string() + "/";
    for (std::size_t at; !directory.empty() && (at = text.find(prefix)) != std::string::npos;) {
      text.erase(at, prefix.size());
    }
    return text;
  }
  return "no error";
}

Json llama_config() { return read_json_file(golden("llama") / "config.json"); }

std::string config_error(const char* key, Json value) {
  Json config = llama_config();
  config[key] = std::move(value);
  return error_of([&] { parse_config(config); });
}

TEST(Config, ReadsTheShape) {
  const ModelConfig config = parse_config(llama_config());
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.num_layers, 3);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.pad_token_id, 3);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_EQ(num_parameters(config),
            96 * 32 + 3 * (2 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 48) + 32 + 32);
}

TEST(Config, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(config_error("hidden_size", nullptr), "config.json: key \"hidden_size\": missing");
  EXPECT_EQ(config_error("hidden_size", 0),
            "config.json: key \"hidden_size\": expected a number between 1 and 16777216, got 0");
  EXPECT_EQ(config_error("hidden_size", "x"),
            "config.json: key \"hidden_size\": expected an integer, got \"x\"");
  EXPECT_EQ(config_error("num_key_value_heads", 3),
            "config.json: key \"num_key_value_heads\": expected a divisor of 4 heads, got 3");
  EXPECT_EQ(config_error("head_dim", 7), "config.json: key \"head_dim\": expected an even number");
  EXPECT_EQ(config_error("hidden_act", "gelu"),
            "config.json: key \"hidden_act\": not supported, expected silu, got gelu");
  EXPECT_EQ(config_error("id2label", {{"0", "a"}, {"1", "b"}}),
            "config.json: expected one label (a reward), got 2; see id2label and num_labels");
  EXPECT_EQ(config_error("architectures", {"GPT2ForSequenceClassification"}),
            "config.json: key \"architectures\": not supported, expected one of "
            "LlamaForSequenceClassification, "
            "Qwen2ForSequenceClassification, got GPT2ForSequenceClassification");
  EXPECT_EQ(config_error("architectures", Json::array()),
            "config.json: key \"architectures\": expected a list with one name, got []");
  EXPECT_EQ(
      config_error("quantization_config", {{"bits", 4}}),
      "config.json: key \"quantization_config\": quantized checkpoints other than laurel-int8 and "
      "laurel-blocks are not supported");
  EXPECT_EQ(config_error("pretraining_tp", 2),
            "config.json: key \"pretraining_tp\": sliced projections are not supported, expected "
            "1, got 2");
  EXPECT_EQ(config_error("rms_norm_eps", 2),
            "config.json: key \"rms_norm_eps\": expected a number between 0 and 1");
}

TEST(Config, RefusesRopeItCannotDoExactly) {
  EXPECT_NE(config_error("rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2}})
                .find("longest sequence"),
            std::string::npos);
  EXPECT_EQ(config_error("rope_scaling", {{"rope_type", "magic"}}),
            "config.json: rope_scaling: unknown type, expected default, linear, llama3 or yarn, "
            "got magic");
  EXPECT_EQ(config_error("rope_scaling", {{"type", "linear"}}),
            "config.json: rope_scaling: key \"factor\": missing");
  EXPECT_EQ(config_error("rope_scaling", {{"type", "linear"}, {"factor", -1}}),
            "config.json: rope_scaling: key \"factor\": expected a positive number, got -1");
  EXPECT_EQ(config_error("rope_theta", 0),
            "config.json: key \"rope_theta\": expected a number above 1, got 0");
}

TEST(Config, Qwen2WindowsFollowFlagLayersAndTypes) {
  Json json = read_json_file(golden("qwen2") / "config.json");
  EXPECT_EQ(parse_config(json).windows, (std::vector<std::int64_t>{0, 0, 0}));
  json["use_sliding_window"] = true;
  json["sliding_window"] = 16;
  json.erase("layer_types");
  json["max_window_layers"] = 2;
  EXPECT_EQ(parse_config(json).windows, (std::vector<std::int64_t>{0, 0, 16}));
  json["layer_types"] = {"sliding_attention", "full_attention", "full_attention"};
  EXPECT_EQ(parse_config(json).windows, (std::vector<std::int64_t>{16, 0, 0}));
  json["layer_types"] = {"sliding_attention"};
  EXPECT_EQ(error_of([&] { parse_config(json); }),
            "config.json: key \"layer_types\": expected a list of 3 layer kinds");
}

TEST(Rope, Llama3KeepsHighFrequenciesAndDividesLowOnes) {
  RopeConfig rope;
  rope.rotary_dim = 128;
  rope.theta = 500000;
  const std::vector<float> plain = inverse_frequencies(rope);
  rope.type = RopeType::kLlama3;
  rope.factor = 8;
  rope.low_freq_factor = 1;
  rope.high_freq_factor = 4;
  rope.original_max_positions = 8192;
  const std::vector<float> scaled = inverse_frequencies(rope);
  EXPECT_EQ(scaled.front(), plain.front());
  EXPECT_EQ(scaled.back(), plain.back() / 8);
}

// A copy of the golden llama checkpoint that a test may damage.
class Checkpoint : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
    fs::copy(golden("llama"), directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  // Changes the safetensors header's text; both strings have the same length.
  void edit_header(const std::string& from, const std::string& to) {
    const fs::path path = directory_ / "model.safetensors";
    std::string bytes = read_file(path);
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(from.size(), to.size());
    write_file(path, bytes.replace(at, from.size(), to));
  }
  void edit_config(const char* key, const Json& value) {
    Json config = read_json_file(directory_ / "config.json");
    config[key] = value;
    write_file(directory_ / "config.json", to_text(config));
  }
  std::string load_error() {
    return error_of([&] { RewardModel({directory_, {}, Precision::kF32}, pool_); }, directory_);
  }

  fs::path directory_;
  ThreadPool pool_{1};
};

TEST_F(Checkpoint, LoadsUnharmed) { EXPECT_EQ(load_error(), "no error"); }

TEST_F(Checkpoint, MissingHeadIsNamed) {
  edit_header("\"score.weight\"", "\"scorx.weight\"");
  EXPECT_EQ(load_error(),
            directory_.string() + ": tensor score.weight: missing, expected shape [1, 32]");
  edit_config("architectures", {"LlamaForCausalLM"});
  EXPECT_EQ(load_error(),
            directory_.string() +
                ": tensor score.weight: missing, expected shape [1, 32]; LlamaForCausalLM is a "
                "language model, which has no score head");
}

TEST_F(Checkpoint, ExtraTensorIsNamed) {
  edit_config("num_hidden_layers", 2);
  EXPECT_EQ(load_error(),
            "model.safetensors: tensor model.layers.2.input_layernorm.weight: unexpected, no "
            "tensor of this name "
            "among the 21 of this architecture");
}

TEST_F(Checkpoint, WrongShapeIsNamed) {
  edit_config("intermediate_size", 40);
  EXPECT_EQ(load_error(),
            "model.safetensors: tensor model.layers.0.mlp.gate_proj.weight: wrong shape, expected "
            "[40, 32], got [48, 32]");
}

TEST_F(Checkpoint, WrongElementTypeIsNamed) {
  edit_header("\"score.weight\":{\"dtype\":\"F32\"", "\"score.weight\":{\"dtype\":\"I32\"");
  EXPECT_EQ(
      load_error(),
      "model.safetensors: tensor score.weight: expected element type F32, BF16 or F16, got I32");
}

class AdapterFiles : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
    fs::copy(golden("llama_lora"), directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }
  std::string error_with(const char* key, const Json& value) {
    Json config = read_json_file(golden("llama_lora") / "adapter_config.json");
    config[key] = value;
    write_file(directory_ / "adapter_config.json", to_text(config));
    return error_of([&] { read_adapter(directory_); }, directory_);
  }
  fs::path directory_;
};

TEST_F(AdapterFiles, RefusesWhatItCannotMerge) {
  EXPECT_EQ(error_with("peft_type", "LORA"), "no error");
  EXPECT_EQ(error_with("peft_type", "IA3"),
            "adapter_config.json: key \"peft_type\": expected LORA, got IA3");
  EXPECT_EQ(error_with("layer_replication", {1}),
            "adapter_config.json: key \"layer_replication\": not supported, got [1]");
  EXPECT_EQ(error_with("init_lora_weights", "pissa_niter_4"),
            "adapter_config.json: key \"init_lora_weights\": pissa_niter_4 changes the base "
            "weights, which is not "
            "supported");
  EXPECT_EQ(error_with("rank_pattern", {{"v_.*", 2}}),
            "adapter_config.json: key \"rank_pattern\": regular expressions are not supported, got "
            "\"v_.*\"");
  EXPECT_NE(error_with("r", 5).find("expected rank 5, got 4"), std::string::npos);
  EXPECT_NE(error_with("use_dora", true)
                .find("incomplete, expected lora_A and lora_B and lora_magnitude_vector"),
            std::string::npos);
}

TEST_F(AdapterFiles, MissingTensorsAreNamed) {
  fs::remove(directory_ / "adapter_model.safetensors");
  EXPECT_EQ(error_of([&] { read_adapter(directory_); }),
            directory_.string() +
                ": no adapter tensors, expected adapter_model.safetensors or adapter_model.bin");
}

TEST_F(AdapterFiles, ForAnotherModelIsRefused) {
  ThreadPool pool(1);
  const std::string error = error_of([&] {
    RewardModel({golden("qwen2_window"), directory_, Precision::kF32}, pool);
  });
  EXPECT_EQ(error, "no error");  // same shapes: allowed
  EXPECT_NE(error_of([&] {
              RewardModel({golden("llama_bias_head_dim"), directory_, Precision::kF32}, pool);
            }).find("do not fit the weight"),
            std::string::npos);
}

}  // namespace
}  // namespace laurel::model
