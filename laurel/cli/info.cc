// laurel info: what a model is and what it needs, without computing with it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "laurel/base/error.h"
#include "laurel/base/progress.h"
#include "laurel/base/thread_pool.h"
#include "laurel/base/version.h"
#include "laurel/chat/encoder.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/hub/resolve.h"
#include "laurel/kernels/ops.h"
#include "laurel/model/reward_model.h"

namespace laurel::cli {
namespace {

constexpr std::int64_t kDefaultBatchTokens = 4096;

struct InfoOptions {
  std::string model;
  std::string adapter;
  std::string rule = "transformers";
  bool json = false;
};

const char* rope_name(model::RopeType type) {
  switch (type) {
    case model::RopeType::kDefault:
      return "default";
    case model::RopeType::kLinear:
      return "linear";
    case model::RopeType::kLlama3:
      return "llama3";
    case model::RopeType::kYarn:
      return "yarn";
  }
  return "?";
}

Json program_facts() {
  Json facts;
  facts["laurel"] = version();
  facts["isa"] = kernels::active_isa();
  facts["available_isas"] = kernels::available_isas();
  facts["usable_cores"] = num_usable_cores();
  return facts;
}

Json model_facts(const InfoOptions& options) {
  const hub::ResolvedModel files = hub::resolve_model(options.model);
  ThreadPool pool;
  // Streamed weights are not read until they are used.
  const model::RewardModel reward_model({.directory = files.directory,
                                         .adapter = hub::adapter_of(files, options.adapter),
                                         .streaming = model::Streaming::kAlways},
                                        pool);
  const model::ModelConfig& config = reward_model.config();
  chat::RuleOptions rule_options;
  if (options.rule == "reward-bench") rule_options.rule = chat::RuleName::kRewardBench;
  if (config.int8_pack) rule_options.compute = schema::ComputeType::kInt8;
  const auto tokenizer =
      std::make_shared<tokenizer::Tokenizer>(tokenizer::Tokenizer::load(files.directory));
  const chat::Encoder encoder(files.directory, tokenizer, config.pad_token_id, rule_options);

  const auto num_windowed = std::count_if(config.windows.begin(), config.windows.end(),
                                          [](std::int64_t window) { return window > 0; });
  Json facts;
  facts["model"] = options.model;
  facts["directory"] = files.directory.string();
  facts["revision"] = files.commit.empty() ? Json() : Json(files.commit);
  facts["family"] = config.family;
  facts["architecture"] = config.architecture;
  facts["layers"] = config.num_layers;
  facts["hidden_size"] = config.hidden_size;
  facts["intermediate_size"] = config.intermediate_size;
  facts["heads"] = config.num_heads;
  facts["kv_heads"] = config.num_kv_heads;
  facts["head_dim"] = config.head_dim;
  facts["vocab_size"] = config.vocab_size;
  facts["max_positions"] = config.max_positions;
  facts["rope"] = rope_name(config.rope.type);
  facts["rope_theta"] = config.rope.theta;
  facts["sliding_window_layers"] = num_windowed;
  facts["pad_token_id"] = config.pad_token_id ? Json(*config.pad_token_id) : Json();
  facts["dtype"] = reward_model.weights().dtype();
  facts["parameters"] = model::num_parameters(config);
  facts["weight_bytes"] = reward_model.weights().stored_bytes();
  facts["activation_bytes"] = reward_model.activation_bytes(kDefaultBatchTokens);
  facts["rule"] = to_json(encoder.rule());
  facts["rule_text"] = describe(encoder.rule());
  return facts;
}

void print_model(const Json& facts) {
  const auto bytes = [&](const char* key) { return format_bytes(facts[key].get<std::uint64_t>()); };
  const auto text = [&](const char* key) {
    return facts[key].is_string() ? facts[key].get<std::string>() : to_line(facts[key]);
  };
  const auto line = [](const char* name, const std::string& value) {
    fmt::print("{:<14}{}\n", name, value);
  };
  line("model", text("model"));
  line("directory", text("directory"));
  if (!facts["revision"].is_null()) line("revision", text("revision"));
  line("family", fmt::format("{} ({})", text("family"), text("architecture")));
  line("shape", fmt::format("{} layers, hidden {}, intermediate {}, {} heads of {}, {} key/value "
                            "heads, vocabulary {}",
                            text("layers"), text("hidden_size"), text("intermediate_size"),
                            text("heads"), text("head_dim"), text("kv_heads"), text("vocab_size")));
  line("positions",
       fmt::format("up to {}, rotary {} with base {}{}", text("max_positions"), text("rope"),
                   facts["rope_theta"].get<double>(),
                   facts["sliding_window_layers"] == 0
                       ? ""
                       : ", sliding window in " + text("sliding_window_layers") + " layers"));
  line("parameters", fmt::format("{} ({})", format_count(facts["parameters"].get<std::int64_t>()),
                                 text("dtype")));
  line("memory",
       fmt::format("{} of weights (mapped) and {} of activations at {} tokens a batch",
                   bytes("weight_bytes"), bytes("activation_bytes"), kDefaultBatchTokens));
  line("rule", text("rule_text"));
}

void run_info(const InfoOptions& options) {
  const Json program = program_facts();
  Json model;
  if (!options.model.empty()) model = model_facts(options);
  if (options.json) {
    Json all = program;
    if (!model.is_null()) all["model"] = model;
    fmt::print("{}", to_text(all));
    return;
  }
  if (!model.is_null()) return print_model(model);
  std::string isas;
  for (const auto& isa : program["available_isas"]) isas += " " + isa.get<std::string>();
  fmt::print("laurel {}\ninstruction sets:{} (in use: {})\nusable cores: {}\n", version(), isas,
             kernels::active_isa(), num_usable_cores());
}

}  // namespace

void add_info(CLI::App& app) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App& command =
      add_command(app, "info", "Show a model's family, shape, memory and scoring rule",
                  "Look inside", "laurel info --model org/name");
  command
      .add_option(
          "--model", options->model,
          "Model directory, or org/name[@revision]; without it, facts of this program and machine")
      ->type_name("M");
  command.add_option("--adapter", options->adapter, "PEFT LoRA adapter directory")
      ->type_name("DIR");
  command.add_option("--rule", options->rule, "Scoring rule to describe")
      ->check(CLI::IsMember({"transformers", "reward-bench"}))
      ->capture_default_str();
  command.add_flag("--json", options->json, "Print JSON");
  command.callback([options] { run_info(*options); });
}

}  // namespace laurel::cli
