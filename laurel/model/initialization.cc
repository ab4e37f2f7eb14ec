#include "laurel/model/initialization.h"

#include <cmath>
#include <numbers>

#include "laurel/base/random.h"

namespace laurel::model {
namespace {

// In [0, 1).
double uniform(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1p-53; }

}  // namespace

// Box and Muller 1958.
void fill_normal(std::span<float> values, double deviation, std::uint64_t seed,
                 std::string_view name) {
  Random random(seed, name);
  for (float& value : values) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(random)));
    const double angle = 2 * std::numbers::pi * uniform(random);
    value = static_cast<float>(deviation * radius * std::cos(angle));
  }
}

void fill_uniform(std::span<float> values, double bound, std::uint64_t seed,
                  std::string_view name) {
  Random random(seed, name);
  for (float& value : values) value = static_cast<float>(bound * (2 * uniform(random) - 1));
}

}  // namespace laurel::model
