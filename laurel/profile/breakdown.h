// What a pass spent its time on, and what held each part back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "laurel/base/json.h"
#include "laurel/kernels/op_clock.h"
#include "laurel/profile/machine_rates.h"

namespace laurel::profile {

// By the roofline model (Williams, Waterman and Patterson, CACM 2009): the least time of an op is
// the greater of its arithmetic at the machine's rate of products and its traffic at the memory's.
enum class Limit {
  kArithmetic,  // within twice the least time, which arithmetic decides
  kMemory,      // within twice the least time, which traffic decides
  kCache,       // faster than memory: its operands were in a cache
  kOverhead,    // slower than twice the least time: calls too small, or a kernel to improve
};
std::string_view to_string(Limit limit);

struct OpShare {
  kernels::OpCount count;
  double share = 0;  // of the pass's seconds
  double least_seconds = 0;
  Limit limit = Limit::kArithmetic;
};

struct Breakdown {
  double seconds = 0;                // wall time of the pass
  std::int64_t sequence_tokens = 0;  // of the input, a shared prefix counted in every sequence
  std::int64_t physical_tokens = 0;  // computed
  double flops = 0;                  // of all ops
  std::vector<OpShare> ops;          // the longest first
  double rest_seconds = 0;           // outside of ops

  double tokens_per_second() const { return static_cast<double>(sequence_tokens) / seconds; }
  double flops_per_second() const { return flops / seconds; }
};

// Precondition: seconds > 0.
Breakdown break_down(std::span<const kernels::OpCount> counts, double seconds,
                     const MachineRates& rates);

// A table of one line an op, and the rest, named `rest`.
std::string to_table(const Breakdown& breakdown, std::string_view rest);
Json to_json(const Breakdown& breakdown);

}  // namespace laurel::profile
