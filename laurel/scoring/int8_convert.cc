#include "laurel/scoring/int8_convert.h"

#include <memory>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"
#include "laurel/base/thread_pool.h"
#include "laurel/chat/encoder.h"
#include "laurel/hub/resolve.h"
#include "laurel/model/companion_files.h"
#include "laurel/model/family.h"
#include "laurel/model/int8_pack.h"
#include "laurel/model/reward_model.h"
#include "laurel/scoring/int8_plan.h"
#include "laurel/tokenizer/tokenizer.h"

namespace laurel::scoring {
namespace {

namespace fs = std::filesystem;

Json pack_config(const fs::path& base) {
  Json config = model::reward_config(base);
  config["quantization_config"] = {{"quant_method", model::kInt8Method},
                                   {"version", model::kInt8PackVersion}};
  return config;
}

}  // namespace

Int8ConvertResult convert_to_int8(const Int8ConvertOptions& options) {
  ThreadPool pool(options.num_threads);
  const hub::ResolvedModel files = hub::resolve_model(options.from);
  model::LoadOptions load;
  load.directory = files.directory;
  load.adapter = hub::adapter_of(files, options.adapter);
  load.merge_adapter = true;
  const model::RewardModel reward_model(load, pool);
  const model::ModelConfig& config = reward_model.config();
  if (config.int8_pack) throw UserError("{}: is an int8 pack already", options.from);
  AtomicDirectory directory(options.to);
  const auto tokenizer =
      std::make_shared<tokenizer::Tokenizer>(tokenizer::Tokenizer::load(files.directory));
  const chat::Encoder encoder(files.directory, tokenizer, config.pad_token_id, {});
  Int8ConvertResult result;
  result.architecture = model::reward_architecture(config.architecture);
  result.num_parameters = model::num_parameters(config);
  result.plan =
      plan_int8(reward_model, encoder, options.calibration, options.rule, options.from, pool);
  const model::Int8PackSize size = model::write_int8_pack(
      directory.staging(), reward_model.weights(), result.plan, options.max_shard_bytes, pool);
  result.num_bytes = size.num_bytes;
  result.num_shards = size.num_shards;
  for (const char* name : model::kCompanionFiles) {
    if (fs::exists(files.directory / name))
      write_file(directory.staging() / name, read_file(files.directory / name));
  }
  write_file(directory.staging() / "config.json", to_text(pack_config(files.directory)));
  directory.commit();
  return result;
}

}  // namespace laurel::scoring
