// Rotary position embedding: frequencies and tables. Formulas: transformers 4.57.6,
// modeling_rope_utils.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laurel/model/config.h"
#include "laurel/model/config_reader.h"

namespace laurel::model {

// Reads rope_theta and rope_scaling (or rope_parameters of later files). Throws UserError for an
// unknown or unsupported type: `dynamic` and `longrope` change with the longest sequence of a
// batch, which a reward must not.
RopeConfig parse_rope(const ConfigReader& reader, std::int64_t head_dim,
                      std::int64_t max_positions);

// Inverse frequencies, [rotary_dim / 2], computed and rounded as transformers does in float32.
std::vector<float> inverse_frequencies(const RopeConfig& rope);

// Cosines and sines of the positions [0, num_positions), times the attention scaling:
// [num_positions, rotary_dim / 2].
struct RotaryAngles {
  std::vector<float> cosines;
  std::vector<float> sines;
};
RotaryAngles rotary_angles(const RopeConfig& rope, std::int64_t num_positions);

}  // namespace laurel::model
