#include "laurel/train/memory_plan.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/micro_batch.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

MemoryQuestion question_of(std::int64_t available) {
  MemoryQuestion question{model::parse_config(tiny_config()), {}};
  question.largest_pack = 4096;
  question.largest_example = 512;
  question.choose_recompute = true;
  question.available = available;
  return question;
}

std::int64_t need(model::Recompute recompute, std::int64_t rows = 4096) {
  return memory_need(question_of(0), recompute, rows).total();
}

TEST(MemoryPlan, TakesTheLeastRecomputationThatFits) {
  EXPECT_EQ(plan_memory(question_of(need(model::Recompute::kNone))), model::Recompute::kNone);
  EXPECT_NE(plan_memory(question_of(need(model::Recompute::kNone) - 1)), model::Recompute::kNone);
  EXPECT_EQ(plan_memory(question_of(need(model::Recompute::kBlock))), model::Recompute::kBlock);
  EXPECT_LT(need(model::Recompute::kBlock), need(model::Recompute::kNone));
}

TEST(MemoryPlan, ARefusalTellsNumbersAndWhatWouldFit) {
  const std::int64_t half = need(model::Recompute::kBlock, 2048);
  const std::string text = error_text<UserError>([&] { plan_memory(question_of(half)); });
  EXPECT_TRUE(text.starts_with("training does not fit into memory: expected ")) << text;
  EXPECT_NE(text.find("activations of 4,096 rows"), std::string::npos) << text;
  EXPECT_NE(text.find("with recompute block"), std::string::npos) << text;
  EXPECT_NE(text.find("--batch-tokens 2048"), std::string::npos) << text;
}

TEST(MemoryPlan, AnAskedForRecomputationIsKeptOrRefusedWithABetterOne) {
  MemoryQuestion question = question_of(need(model::Recompute::kBlock));
  question.choose_recompute = false;
  question.options.recompute = model::Recompute::kNone;
  const std::string text = error_text<UserError>([&] { plan_memory(question); });
  EXPECT_NE(text.find("--recompute block"), std::string::npos) << text;
  question.available = need(model::Recompute::kNone);
  EXPECT_EQ(plan_memory(question), model::Recompute::kNone);
}

TEST(MemoryPlan, TheLargestPackIsOfTheLargestExamples) {
  data::TrainingSet set;
  for (const std::size_t length : {3, 9, 5, 7}) {
    std::vector<std::int32_t> shared(length, 1), other(length, 1);
    other.back() = 2;  // one row more than `shared` has
    set.examples.push_back({{shared, other}, 0, 0, 1});
  }
  EXPECT_EQ(largest_pack_rows(set, 1, 100), 10);
  EXPECT_EQ(largest_pack_rows(set, 3, 100), 10 + 8 + 6);
  EXPECT_EQ(largest_pack_rows(set, 9, 100), 10 + 8 + 6 + 4);
  EXPECT_EQ(largest_pack_rows(set, 3, 20), 20);
  EXPECT_EQ(largest_pack_rows(set, 3, 5), 10);  // an example is never split
  EXPECT_EQ(largest_pack_rows({}, 3, 5), 0);
  for (const std::int64_t together : {1, 2, 4}) {  // at least what any cut of this order gives
    for (const MicroBatch& batch :
         plan_micro_batches(set, std::vector<std::int64_t>{0, 1, 2, 3},
                            {.num_parts = 4 / together, .examples_alone = true})) {
      EXPECT_LE(batch.pack.tokens.size(), largest_pack_rows(set, together, 4096));
    }
  }
}

TEST(MemoryPlan, EvaluationKeepsNothingForBackward) {
  MemoryQuestion question = question_of(0);
  const std::int64_t trained = memory_need(question, model::Recompute::kNone, 100).total();
  question.largest_evaluated = 100;
  EXPECT_EQ(memory_need(question, model::Recompute::kNone, 100).total(), trained);
  question.largest_evaluated = 100'000;
  EXPECT_GT(memory_need(question, model::Recompute::kNone, 100).total(), trained);
}

}  // namespace
}  // namespace laurel::train
