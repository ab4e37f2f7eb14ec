#include "laurel/profile/training_load.h"

#include <numeric>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/memory.h"
#include "laurel/data/build.h"
#include "laurel/data/prepare_row.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/train/memory_plan.h"
#include "laurel/train/optimizer.h"

namespace laurel::profile {
namespace {

namespace fs = std::filesystem;

model::TrainableOptions fitting_options(const model::ModelConfig& config, DType stored,
                                        const data::TrainingSet& set) {
  train::MemoryQuestion question{config, {}};
  question.stored = stored;
  question.largest_pack = train::largest_pack_rows(
      set, static_cast<std::int64_t>(set.examples.size()), kTrainingPackTokens);
  question.largest_example = train::largest_pack_rows(set, 1, 1);
  question.choose_recompute = true;
  question.available = available_memory().value_or(INT64_MAX);
  question.options.recompute = train::plan_memory(question);
  return question.options;
}

model::TrainableModel open_model(const fs::path& directory, const data::TrainingSet& set,
                                 ThreadPool& pool) {
  const model::ModelConfig config = model::read_config(directory);
  formats::TensorStore tensors = formats::TensorStore::open(directory);
  const DType stored = tensors.tensors().begin()->second.dtype;
  const model::TrainableOptions options = fitting_options(config, stored, set);
  return {config, std::move(tensors), options, pool};
}

}  // namespace

data::TrainingSet preference_set(std::span<const Json> rows, const fs::path& directory) {
  const chat::Encoder encoder = data::load_training_encoder(directory);
  const data::ReaderOptions reader;
  const data::FilterOptions filters;
  const data::ContaminationIndex benchmarks({});
  const data::RowPreparer preparer(reader, filters, benchmarks, &encoder,
                                   model::read_config(directory).vocab_size);
  data::TrainingSet set;
  set.sources = {"pairs"};
  std::int64_t number = 0;
  for (const Json& row : rows) {
    data::PreparedRow prepared = preparer.prepare(row, "pairs");
    ++number;
    if (prepared.drop != data::Drop::kNone) continue;
    set.examples.push_back({std::move(prepared.sequences), 0, 0, number});
  }
  return set;
}

struct TrainingLoad::Impl {
  data::TrainingSet set;
  ThreadPool& pool;
  model::TrainableModel model;
  train::Optimizer optimizer;
  std::vector<std::int64_t> examples;

  Impl(const fs::path& directory, data::TrainingSet pairs, ThreadPool& threads)
      : set(std::move(pairs)),
        pool(threads),
        model(open_model(directory, set, pool)),
        optimizer(model.parameters(), {}),
        examples(set.examples.size()) {
    std::iota(examples.begin(), examples.end(), std::int64_t{0});
  }
};

TrainingLoad::TrainingLoad(const fs::path& directory, data::TrainingSet set, ThreadPool& pool)
    : impl_(std::make_unique<Impl>(directory, std::move(set), pool)) {}
TrainingLoad::~TrainingLoad() = default;

model::Recompute TrainingLoad::recompute() const { return impl_->model.options().recompute; }

train::ObjectiveSums TrainingLoad::step() {
  constexpr double kLearningRate = 1e-6;
  model::TrainableModel& model = impl_->model;
  model.clear_gradients(impl_->pool);
  train::ObjectiveSums sums =
      train::add_gradients(model, impl_->set, impl_->examples, {},
                           {.max_tokens = kTrainingPackTokens}, nullptr, impl_->pool);
  const double norm = train::Optimizer::gradient_norm(model.parameters(), impl_->pool);
  impl_->optimizer.update(model.parameters(), kLearningRate, norm, impl_->pool);
  return sums;
}

}  // namespace laurel::profile
