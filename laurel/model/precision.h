#pragma once

namespace laurel::model {

// The type that activations are kept in: float32, or rounded to bfloat16 after every operation.
enum class Precision { kF32, kBF16 };

}  // namespace laurel::model
