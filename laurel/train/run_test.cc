// A run as a whole, on a tiny model: what is learned, and that no road to the end changes a bit.
#include "laurel/train/run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/checkpoint.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

RunOptions small_run() {
  RunOptions options;
  options.batch_size = 3;
  options.num_epochs = 4;
  options.schedule.learning_rate = 0.01;
  options.logging_steps = 0;
  return options;
}

struct Power : std::runtime_error {
  Power() : std::runtime_error("power failed") {}
};

class RunTest : public testing::Test {
 protected:
  RunTest() { write_tiny_checkpoint(base()); }

  std::filesystem::path base() const { return folder_ / "base"; }

  // Weights after a run in `name`. The run dies after `dies_after` steps, if not 0.
  std::vector<std::vector<float>> train(const std::string& name, const RunOptions& options,
                                        const model::TrainableOptions& model_options = {},
                                        int num_threads = 1, std::int64_t dies_after = 0) {
    ThreadPool pool(num_threads);
    model::TrainableModel model = open_tiny(base(), pool, model_options);
    const RunDirectory directory(folder_ / name, StartMode::kResume);
    RunParts parts{model, set_, held_out_, {{"seed", 1}}, {}, {}, {}};
    parts.run_benchmarks = [&](std::int64_t step) -> std::vector<schema::RunEvaluation> {
      if (dies_after > 0 && step == dies_after) throw Power();
      return {};
    };
    parts.export_model = [&](const std::filesystem::path&, bool) { ++num_exports_; };
    outcome_ = run(options, std::move(parts), directory, pool);
    return values_of(model);
  }

  std::vector<Json> lines(const std::string& name) const {
    std::vector<Json> result;
    std::istringstream text(read_file(folder_ / name / "metrics.jsonl"));
    for (std::string line; std::getline(text, line);) result.push_back(parse_json(line, name));
    return result;
  }

  TestFolder folder_;
  data::TrainingSet set_ = tiny_set(10);
  data::TrainingSet held_out_;
  RunOutcome outcome_;
  int num_exports_ = 0;
};

TEST_F(RunTest, LearnsWhatIsBetter) {
  held_out_ = tiny_set(6);
  train("run", small_run());
  const std::vector<Json> steps = lines("run");
  ASSERT_EQ(steps.size(), 16u);  // 4 epochs of ceil(10 / 3)
  EXPECT_NEAR(steps.front()["loss"].get<double>(), std::log(2.0), 0.2);
  EXPECT_LT(steps.back()["loss"].get<double>(), 0.3);
  EXPECT_EQ(steps.back()["accuracy"], 1.0);
  EXPECT_EQ(steps.back()["eval_accuracy"], 1.0);
  EXPECT_EQ(steps.back()["epoch"], 4.0);
  EXPECT_EQ(steps[3]["num_tokens"], 12);      // the epoch's last pair alone
  EXPECT_EQ(steps[3]["computed_tokens"], 8);  // its prompt once
  EXPECT_EQ(outcome_.record.status, schema::RunStatus::kFinished);
  EXPECT_EQ(outcome_.record.evaluations.back().benchmark, schema::kHeldOut);
  EXPECT_EQ(num_exports_, 1);
}

TEST_F(RunTest, EvaluatingBeforeTheFirstStepChangesNoBit) {
  held_out_ = tiny_set(6);
  RunOptions options = small_run();
  const auto expected = train("later", options);
  ASSERT_EQ(outcome_.record.evaluations.size(), 1u);
  options.eval_on_start = true;
  EXPECT_EQ(train("at-once", options), expected);
  ASSERT_EQ(outcome_.record.evaluations.size(), 2u);
  EXPECT_EQ(outcome_.record.evaluations[0].step, 0);
  EXPECT_NEAR(*outcome_.record.evaluations[0].loss, std::log(2.0), 0.2);
  EXPECT_EQ(lines("at-once").size(), 16u);
}

TEST_F(RunTest, ARunThatDiedEndsWithTheSameBits) {
  const auto expected = train("whole", small_run());
  for (const std::int64_t dies_after : {1, 5, 9, 16}) {
    RunOptions options = small_run();
    options.save_steps = 2;
    options.eval_steps = 1;
    const std::string name = "died" + std::to_string(dies_after);
    EXPECT_THROW(train(name, options, {}, 1, dies_after), Power);
    EXPECT_EQ(parse_json(read_file(folder_ / name / "run.json"), name)["status"], "failed");
    EXPECT_EQ(train(name, options), expected) << dies_after;
    ASSERT_EQ(lines(name).size(), 16u);
    EXPECT_EQ(lines(name)[15]["loss"], lines("whole")[15]["loss"]);
  }
}

TEST_F(RunTest, ThreadsAndCachedStatesChangeNoBit) {
  EXPECT_EQ(train("one", small_run()), train("two", small_run(), {}, 2));
  model::TrainableOptions frozen;
  frozen.freeze_layers = 1;
  RunOptions options = small_run();
  const auto expected = train("frozen", options, frozen, 2);
  options.cache_directory = folder_ / "cache";
  options.cache_key = "key";
  EXPECT_EQ(train("filling", options, frozen), expected);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "cache/frozen-key.f32"));
  EXPECT_EQ(train("filled", options, frozen), expected);
}

TEST_F(RunTest, HowAStepIsCutOnlyRounds) {
  const auto whole = train("whole", small_run());
  RunOptions options = small_run();
  options.accumulation_steps = 2;
  options.batch_tokens = 8;
  const auto cut = train("cut", options);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (std::size_t j = 0; j < whole[i].size(); ++j) {
      EXPECT_NEAR(whole[i][j], cut[i][j], 2e-3);  // of 16 updates of 0.01
    }
  }
}

TEST_F(RunTest, RowsThatAreNotFiniteAreNamed) {
  set_.examples[6].margin = std::numeric_limits<float>::infinity();
  RunOptions options = small_run();
  options.sampler.shuffle = false;
  options.save_steps = 1;
  const std::string text = error_text<UserError>([&] { train("run", options); });
  EXPECT_EQ(text,
            "step 3: loss is not finite in rows pairs.jsonl:7; --skip-nonfinite leaves such "
            "steps out");
  EXPECT_EQ(checkpoint_steps(folder_ / "run/checkpoints").back(), 2);
  options.skip_nonfinite = true;
  train("run", options);
  EXPECT_EQ(outcome_.num_skipped, 4);
}

TEST_F(RunTest, OtherOptionsDoNotGoOnWithARun) {
  RunOptions options = small_run();
  options.save_steps = 2;
  options.max_steps = 2;
  train("run", options);
  const auto state = read_state(folder_ / "run/checkpoints", 2);
  EXPECT_EQ(error_text<UserError>([&] {
              check_identity(state.identity, {{"seed", 2}}, "run");
            }),
            "run: cannot resume: seed differs from the run's, expected 1, got 2; --overwrite "
            "starts anew");
  check_identity(state.identity, {{"seed", 1}}, "run");
}

}  // namespace
}  // namespace laurel::train
