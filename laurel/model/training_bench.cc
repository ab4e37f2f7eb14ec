// Seconds of forward and backward per row of a pack of preference pairs, beside the matrix products
// that they cannot do without.
//
// model_training_bench DIRECTORY [--threads N] [--pairs N] [--prompt N] [--response N] [--rounds N]
//   [--recompute none|attention|block] [--freeze-layers N] [--lora-rank N] [--isa NAME]
//
// Tokens are random; a pair shares its prompt. Every round times forward, backward, and linear()
// alone on the shape of the MLP's gate, so that the ratio holds on a machine that is busy too.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/random.h"
#include "laurel/model/trainable_model.h"

namespace laurel::model {
namespace {

struct Arguments {
  std::string directory;
  std::map<std::string, std::string> values = {
      {"--threads", "0"},       {"--pairs", "16"},    {"--prompt", "128"},
      {"--response", "64"},     {"--rounds", "5"},    {"--recompute", "none"},
      {"--freeze-layers", "0"}, {"--lora-rank", "0"}, {"--isa", "best"}};

  Arguments(int argc, char** argv) {
    if (argc < 2) throw UserError("training_bench: expected a model's directory");
    directory = argv[1];
    for (int i = 2; i < argc; i += 2) {
      const auto found = values.find(argv[i]);
      if (found == values.end() || i + 1 == argc) {
        throw UserError("training_bench: {}: no such option, or no value", argv[i]);
      }
      found->second = argv[i + 1];
    }
  }
  std::int64_t number(const char* key) const { return std::atoll(values.at(key).c_str()); }

  TrainableOptions training() const {
    TrainableOptions options;
    const std::string& recompute = values.at("--recompute");
    options.recompute = recompute == "block"       ? Recompute::kBlock
                        : recompute == "attention" ? Recompute::kAttention
                                                   : Recompute::kNone;
    options.freeze_layers = number("--freeze-layers");
    if (number("--lora-rank") > 0) options.lora = LoraOptions{number("--lora-rank"), 16};
    return options;
  }
};

packing::Pack make_pack(const Arguments& arguments, std::int64_t vocab_size) {
  Random random(1);
  const auto append = [&](std::vector<std::int32_t>& tokens, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      tokens.push_back(static_cast<std::int32_t>(random.between(0, vocab_size - 1)));
    }
  };
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int64_t pair = 0; pair < arguments.number("--pairs"); ++pair) {
    std::vector<std::int32_t> prompt;
    append(prompt, arguments.number("--prompt"));
    for (int side = 0; side < 2; ++side) {
      append(rows.emplace_back(prompt), arguments.number("--response"));
    }
  }
  std::vector<packing::Sequence> sequences;
  for (const auto& row : rows) sequences.push_back({row, 0});
  return packing::plan_packs(sequences, {std::int64_t{1} << 40, true}).at(0);
}

// Wall time; with one thread, processor time, which other programs disturb less.
class Stopwatch {
 public:
  explicit Stopwatch(const ThreadPool& pool) : processor_time_(pool.num_threads() == 1) {}
  double seconds_of(const auto& action) const {
    const double start = now();
    action();
    return now() - start;
  }

 private:
  double now() const {
    if (processor_time_) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(time).count();
  }
  bool processor_time_;
};

// Multiplications and additions of the linear layers: forward, and backward without what is frozen.
struct Flops {
  double forward = 0, backward = 0;

  Flops(const ModelConfig& config, const TrainableOptions& options, const packing::Pack& pack) {
    const auto rows = static_cast<double>(pack.tokens.size());
    const auto scored = static_cast<double>(pack.score_points.size());
    const auto hidden = static_cast<double>(config.hidden_size);
    const auto query = static_cast<double>(config.num_heads * config.head_dim);
    const auto kv = static_cast<double>(config.num_kv_heads * config.head_dim);
    const double per_query_row =
        2 * hidden * (2 * query + 3 * static_cast<double>(config.intermediate_size));
    const double per_row = 2 * hidden * 2 * kv;
    for (std::int64_t i = 0; i < config.num_layers; ++i) {
      const double query_rows = i + 1 < config.num_layers ? rows : scored;
      const double layer = query_rows * per_query_row + rows * per_row;
      forward += layer;
      if (i >= options.freeze_layers) backward += (options.lora ? 1 : 2) * layer;
    }
  }
};

// The product of all rows with a weight of the MLP's shape.
class Yardstick {
 public:
  Yardstick(const ModelConfig& config, std::int64_t rows)
      : rows_(rows),
        in_(config.hidden_size),
        out_(config.intermediate_size),
        x_(static_cast<std::size_t>(rows * in_), 0.5f),
        w_(static_cast<std::size_t>(in_ * out_), 0.25f),
        y_(static_cast<std::size_t>(rows * out_)) {}

  double flops() const {
    return 2.0 * static_cast<double>(rows_ * in_) * static_cast<double>(out_);
  }
  void multiply(ThreadPool& pool) {
    kernels::linear({x_.data(), rows_, in_, in_}, {w_.data(), DType::kF32, out_, in_}, {},
                    {y_.data(), rows_, out_, out_}, kernels::Accumulate::kNo, pool);
  }

 private:
  std::int64_t rows_, in_, out_;
  std::vector<float> x_, w_, y_;
};

void run(const Arguments& arguments) {
  kernels::select_isa(arguments.values.at("--isa"));
  ThreadPool pool(static_cast<int>(arguments.number("--threads")));
  TrainableModel model(read_config(arguments.directory),
                       formats::TensorStore::open(arguments.directory), arguments.training(), pool);
  const packing::Pack pack = make_pack(arguments, model.config().vocab_size);
  const auto rows = static_cast<std::int64_t>(pack.tokens.size());
  const Flops flops(model.config(), model.options(), pack);
  Yardstick yardstick(model.config(), rows);
  const Stopwatch stopwatch(pool);
  const std::vector<float> slopes(pack.score_points.size(), 0.1f);

  std::printf("%d rows, %s, %d threads\n", static_cast<int>(rows), kernels::active_isa(),
              pool.num_threads());
  std::printf("%8s %9s %9s %9s %9s %9s  %s\n", "clear s", "forward s", "backward", "µs/row",
              "GFLOP/s", "linear()", "share");
  for (std::int64_t round = 0; round < arguments.number("--rounds"); ++round) {
    const double clear = stopwatch.seconds_of([&] { model.clear_gradients(pool); });
    const double forward = stopwatch.seconds_of([&] { model.forward(pack, {}, pool); });
    const double backward = stopwatch.seconds_of([&] { model.backward(slopes, pool); });
    constexpr int kRepeats = 20;
    const double product = stopwatch.seconds_of([&] {
      for (int i = 0; i < kRepeats; ++i) yardstick.multiply(pool);
    }) / kRepeats;
    const double speed = 1e-9 * (flops.forward + flops.backward) / (forward + backward);
    const double linear_speed = 1e-9 * yardstick.flops() / product;
    std::printf("%8.3f %9.3f %9.3f %9.1f %9.1f %9.1f  %.2f\n", clear, forward, backward,
                1e6 * (forward + backward) / static_cast<double>(rows), speed, linear_speed,
                speed / linear_speed);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace laurel::model

int main(int argc, char** argv) {
  try {
    laurel::model::run(laurel::model::Arguments(argc, argv));
  } catch (const laurel::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
  return 0;
}
