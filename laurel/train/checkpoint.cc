#include "laurel/train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::train {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kPrefix = "step-";
constexpr const char* kStateFile = "state.json";
constexpr const char* kTensorFile = "state.safetensors";

fs::path folder_of(const fs::path& directory, std::int64_t step) {
  return directory / fmt::format("{}{:08}", kPrefix, step);
}

// The step in a folder's name; nullopt for other names, those of unfinished folders among them.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || rest != end) return std::nullopt;
  return step;
}

Json to_json(const RunState& state) {
  return {{"format", kFormat},
          {"step", state.step},
          {"num_updates", state.num_updates},
          {"num_tokens", state.num_tokens},
          {"num_skipped", state.num_skipped},
          {"seconds", state.seconds},
          {"best_value", state.best_value ? Json(*state.best_value) : Json()},
          {"best_step", state.best_step},
          {"evaluations", state.evaluations},
          {"identity", state.identity}};
}

std::int64_t require_int(const Json& json, const char* key, const std::string& where) {
  const auto value = get_int(json, key, where);
  if (!value) throw UserError("{}: key \"{}\": missing", where, key);
  return *value;
}

formats::TensorToWrite tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                              std::span<const float> values) {
  return {name, DType::kF32, shape,
          [values](const formats::ByteSink& sink) { sink(std::as_bytes(values)); }};
}

void read_tensor(const formats::TensorStore& store, const std::string& name,
                 const std::vector<std::int64_t>& shape, std::span<float> out,
                 const std::string& where) {
  const formats::TensorView* found = store.find(name);
  if (found == nullptr) throw UserError("{}: tensor {}: missing", where, name);
  if (found->dtype != DType::kF32 || found->shape != shape) {
    throw UserError("{}: tensor {}: wrong shape or type, expected F32 {}, got {} {}", where, name,
                    formats::shape_text(shape), dtype_name(found->dtype),
                    formats::shape_text(found->shape));
  }
  std::memcpy(out.data(), found->data.data(), out.size_bytes());
}

}  // namespace

void write_checkpoint(const fs::path& directory, const RunState& state,
                      std::span<const model::Parameter> parameters, const Optimizer& optimizer) {
  const fs::path target = folder_of(directory, state.step);
  if (fs::exists(target)) return;
  AtomicDirectory folder(target);
  std::vector<formats::TensorToWrite> tensors;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const model::Parameter& parameter = parameters[i];
    const Moments& moments = optimizer.moments()[i];
    tensors.push_back(tensor("value/" + parameter.name, parameter.shape, parameter.value));
    tensors.push_back(tensor("first/" + parameter.name, parameter.shape, moments.first));
    tensors.push_back(tensor("second/" + parameter.name, parameter.shape, moments.second));
  }
  formats::write_safetensors(folder.staging() / kTensorFile, std::move(tensors));
  write_file(folder.staging() / kStateFile, to_text(to_json(state)));
  folder.commit();
}

std::vector<std::int64_t> checkpoint_steps(const fs::path& directory) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

RunState read_state(const fs::path& directory, std::int64_t step) {
  const fs::path path = folder_of(directory, step) / kStateFile;
  const std::string where = path.string();
  const Json json = read_json_file(path);
  if (!json.is_object()) throw UserError("{}: expected a JSON object", where);
  if (const std::int64_t format = require_int(json, "format", where); format != kFormat) {
    throw UserError("{}: checkpoint of another version, expected format {}, got {}", where, kFormat,
                    format);
  }
  RunState state;
  state.step = require_int(json, "step", where);
  state.num_updates = require_int(json, "num_updates", where);
  state.num_tokens = require_int(json, "num_tokens", where);
  state.num_skipped = require_int(json, "num_skipped", where);
  state.seconds = get_number(json, "seconds", where).value_or(0);
  state.best_value = get_number(json, "best_value", where);
  state.best_step = require_int(json, "best_step", where);
  state.evaluations = json.value("evaluations", Json::array());
  state.identity = json.value("identity", Json::object());
  return state;
}

RunState read_checkpoint(const fs::path& directory, std::int64_t step,
                         std::span<model::Parameter> parameters, Optimizer& optimizer) {
  RunState state = read_state(directory, step);
  const fs::path path = folder_of(directory, step) / kTensorFile;
  const auto store = formats::TensorStore::open_file(path);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const model::Parameter& parameter = parameters[i];
    Moments& moments = optimizer.moments()[i];
    const std::string where = path.string();
    read_tensor(store, "value/" + parameter.name, parameter.shape, parameter.value, where);
    read_tensor(store, "first/" + parameter.name, parameter.shape, moments.first, where);
    read_tensor(store, "second/" + parameter.name, parameter.shape, moments.second, where);
  }
  optimizer.set_num_updates(state.num_updates);
  return state;
}

void prune_checkpoints(const fs::path& directory, std::int64_t keep, std::int64_t best_step) {
  const std::vector<std::int64_t> steps = checkpoint_steps(directory);
  const std::size_t first_kept =
      steps.size() -
      std::min(steps.size(), static_cast<std::size_t>(std::max<std::int64_t>(keep, 1)));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const auto step = step_of(entry.path().filename().string());
    const bool kept = step && (*step == best_step || *step >= steps[first_kept]);
    if (!kept) fs::remove_all(entry.path(), error);
  }
}

void check_identity(const Json& of_run, const Json& now, const fs::path& run) {
  for (const auto& [name, value] : now.items()) {
    const Json before = of_run.value(name, Json());
    if (before == value) continue;
    throw UserError(
        "{}: cannot resume: {} differs from the run's, expected {}, got {}; "
        "--overwrite starts anew",
        run.string(), name, to_line(before), to_line(value));
  }
}

}  // namespace laurel::train
