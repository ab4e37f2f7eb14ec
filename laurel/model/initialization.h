// Random starting values that are the same on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace laurel::model {

// Fills with the normal distribution N(0, deviation²), or the uniform one on [-bound, bound). Each
// tensor name has a stream of its own, so that a tensor's values do not depend on which others
// there are.
void fill_normal(std::span<float> values, double deviation, std::uint64_t seed,
                 std::string_view name);
void fill_uniform(std::span<float> values, double bound, std::uint64_t seed, std::string_view name);

}  // namespace laurel::model
