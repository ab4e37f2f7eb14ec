// The instruction sets that tests go through, of this module and of those above it.
#pragma once

#include <string>
#include <vector>

#include "laurel/kernels/ops.h"

namespace laurel::kernels::testing {

// All of this machine, the best last. Threads meet in the same places on all of them: the thread
// sanitizer, under which emulated vectors take most of the time, sees the best one.
inline std::vector<std::string> tested_isas() {
#ifdef __SANITIZE_THREAD__
  return {available_isas().back()};
#else
  return available_isas();
#endif
}

}  // namespace laurel::kernels::testing
