// PEFT LoRA adapters. Format: adapter_config.json and adapter_model.safetensors (or .bin), as peft
// writes them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/formats/tensor_store.h"

namespace laurel::model {

// One adapted linear layer: W' = W + scaling · B · A, and with DoRA W' = m / ‖W'‖ · W' per output
// row.
struct LoraModule {
  const formats::TensorView* a = nullptr;          // [rank, in]
  const formats::TensorView* b = nullptr;          // [out, rank]
  const formats::TensorView* magnitude = nullptr;  // [out], DoRA only
  double scaling = 1;
};

struct Adapter {
  formats::TensorStore store;  // keeps the views alive
  std::map<std::string, LoraModule, std::less<>>
      modules;  // by weight name: "model.layers.0.….weight"
  std::map<std::string, const formats::TensorView*, std::less<>>
      replaced;  // whole tensors, e.g. "score.weight"
  std::filesystem::path directory;
};

// Throws UserError for a kind of adapter that cannot be merged exactly, naming the key or tensor.
Adapter read_adapter(const std::filesystem::path& directory);

// Throws UserError unless the module's shapes are those of an adapter of `base`.
void check_fits(const LoraModule& module, const formats::TensorView& base);

// The merged weight, float32, [out, in]. `base` has that shape (checked by the caller against the
// model).
std::vector<float> merge(const LoraModule& module, const formats::TensorView& base,
                         ThreadPool& pool);

// The tensor's elements as float32. Throws UserError for an element type other than F32, BF16, F16.
std::vector<float> to_float(const formats::TensorView& tensor);

}  // namespace laurel::model
