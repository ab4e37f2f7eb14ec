#include "laurel/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "laurel/base/error.h"

namespace laurel::model {
namespace {

// Scaling keys live in rope_scaling (or rope_parameters), the base beside it or inside it.
class RopeReader {
 public:
  explicit RopeReader(const ConfigReader& reader) : reader_(reader) {
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      if (!reader.has(key)) continue;
      section_ = &reader.json()[key];
      name_ = key;
      if (!section_->is_object())
        throw UserError("{}: key \"{}\": expected an object", reader.where(), key);
      break;
    }
  }

  std::string type() const {
    if (section_ == nullptr) return "default";
    const std::string where = place();
    if (auto type = get_string(*section_, "rope_type", where)) return *type;
    return get_string(*section_, "type", where).value_or("default");
  }

  double theta() const {
    std::optional<double> inner;
    if (section_ != nullptr) inner = get_number(*section_, "rope_theta", place());
    return inner.value_or(reader_.number_or("rope_theta", 10000));
  }

  std::optional<double> number(std::string_view key) const {
    return get_number(*section_, key, place());
  }

  double require(std::string_view key) const {
    const auto value = number(key);
    if (!value) throw UserError("{}: key \"{}\": missing", place(), key);
    if (!(*value > 0) || !std::isfinite(*value)) {
      throw UserError("{}: key \"{}\": expected a positive number, got {}", place(), key, *value);
    }
    return *value;
  }

  bool flag(std::string_view key, bool fallback) const {
    return get_bool(*section_, key, place()).value_or(fallback);
  }

  std::string place() const { return reader_.where() + ": " + name_; }

 private:
  const ConfigReader& reader_;
  const Json* section_ = nullptr;
  std::string name_ = "rope_scaling";
};

double yarn_magnitude(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

void read_yarn(const RopeReader& reader, std::int64_t max_positions, RopeConfig& rope) {
  rope.factor = reader.require("factor");
  rope.original_max_positions = reader.number("original_max_position_embeddings")
                                    .value_or(static_cast<double>(max_positions));
  if (!(rope.original_max_positions > 0)) {
    throw UserError("{}: key \"original_max_position_embeddings\": expected a positive number",
                    reader.place());
  }
  rope.beta_fast = reader.number("beta_fast").value_or(32);
  rope.beta_slow = reader.number("beta_slow").value_or(1);
  rope.truncate = reader.flag("truncate", true);
  const double mscale = reader.number("mscale").value_or(0);
  const double mscale_all = reader.number("mscale_all_dim").value_or(0);
  if (const auto given = reader.number("attention_factor")) {
    rope.attention_scaling = *given;
  } else if (mscale != 0 && mscale_all != 0) {
    rope.attention_scaling =
        yarn_magnitude(rope.factor, mscale) / yarn_magnitude(rope.factor, mscale_all);
  } else {
    rope.attention_scaling = yarn_magnitude(rope.factor, 1);
  }
}

// The share of plain (extrapolated) frequency at index i, as yarn blends.
double yarn_ramp(const RopeConfig& rope, std::int64_t i) {
  const auto dim = static_cast<double>(rope.rotary_dim);
  const auto correction = [&](double rotations) {
    return dim * std::log(rope.original_max_positions / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = correction(rope.beta_fast);
  double high = correction(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  return std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
}

float scaled_frequency(const RopeConfig& rope, std::int64_t i, float plain) {
  const auto factor = static_cast<float>(rope.factor);
  switch (rope.type) {
    case RopeType::kDefault:
      return plain;
    case RopeType::kLinear:
      return plain / factor;
    case RopeType::kLlama3: {
      const float wavelength = static_cast<float>(2 * std::numbers::pi) / plain;
      if (wavelength > rope.original_max_positions / rope.low_freq_factor) return plain / factor;
      if (wavelength < rope.original_max_positions / rope.high_freq_factor) return plain;
      const auto smooth =
          static_cast<float>((rope.original_max_positions / wavelength - rope.low_freq_factor) /
                             (rope.high_freq_factor - rope.low_freq_factor));
      return (1 - smooth) * plain / factor + smooth * plain;
    }
    case RopeType::kYarn: {
      const auto ramp = static_cast<float>(yarn_ramp(rope, i));
      return plain / factor * ramp + plain * (1 - ramp);
    }
  }
  return plain;
}

}  // namespace

RopeConfig parse_rope(const ConfigReader& reader, std::int64_t head_dim,
                      std::int64_t max_positions) {
  const RopeReader section(reader);
  RopeConfig rope;
  rope.theta = section.theta();
  if (!(rope.theta > 1) || !std::isfinite(rope.theta)) {
    throw UserError("{}: key \"rope_theta\": expected a number above 1, got {}", reader.where(),
                    rope.theta);
  }
  const double share = reader.number_or("partial_rotary_factor", 1.0);
  if (!(share > 0 && share <= 1)) {
    throw UserError("{}: key \"partial_rotary_factor\": expected a number in (0, 1], got {}",
                    reader.where(), share);
  }
  rope.rotary_dim = static_cast<std::int64_t>(static_cast<double>(head_dim) * share) / 2 * 2;
  if (rope.rotary_dim == 0) {
    throw UserError("{}: key \"partial_rotary_factor\": leaves nothing to rotate", reader.where());
  }

  const std::string type = section.type();
  if (type == "default") return rope;
  if (type == "linear") {
    rope.type = RopeType::kLinear;
    rope.factor = section.require("factor");
  } else if (type == "llama3") {
    rope.type = RopeType::kLlama3;
    rope.factor = section.require("factor");
    rope.low_freq_factor = section.require("low_freq_factor");
    rope.high_freq_factor = section.require("high_freq_factor");
    rope.original_max_positions = section.require("original_max_position_embeddings");
    if (rope.high_freq_factor <= rope.low_freq_factor) {
      throw UserError("{}: expected high_freq_factor above low_freq_factor", section.place());
    }
  } else if (type == "yarn") {
    rope.type = RopeType::kYarn;
    read_yarn(section, max_positions, rope);
  } else if (type == "dynamic" || type == "longrope" || type == "su") {
    throw UserError(
        "{}: type \"{}\" is not supported: it depends on the longest sequence of a batch",
        section.place(), type);
  } else {
    throw UserError("{}: unknown type, expected default, linear, llama3 or yarn, got {}",
                    section.place(), type);
  }
  return rope;
}

std::vector<float> inverse_frequencies(const RopeConfig& rope) {
  const std::int64_t half = rope.rotary_dim / 2;
  std::vector<float> frequencies(static_cast<std::size_t>(half));
  for (std::int64_t i = 0; i < half; ++i) {
    // float32 exponent and power, as torch computes 1 / base ** (arange / dim)
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rope.rotary_dim);
    const auto power = static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
    frequencies[static_cast<std::size_t>(i)] = scaled_frequency(rope, i, 1.0f / power);
  }
  return frequencies;
}

RotaryAngles rotary_angles(const RopeConfig& rope, std::int64_t num_positions) {
  const std::vector<float> frequencies = inverse_frequencies(rope);
  RotaryAngles angles;
  angles.cosines.reserve(frequencies.size() * static_cast<std::size_t>(num_positions));
  angles.sines.reserve(angles.cosines.capacity());
  const auto scaling = static_cast<float>(rope.attention_scaling);
  for (std::int64_t position = 0; position < num_positions; ++position) {
    for (const float frequency : frequencies) {
      const float angle =
          static_cast<float>(position) * frequency;  // rounded to float32, as the peer does
      angles.cosines.push_back(std::cos(angle) * scaling);
      angles.sines.push_back(std::sin(angle) * scaling);
    }
  }
  return angles;
}

}  // namespace laurel::model
