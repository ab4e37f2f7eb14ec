// How fast this machine is at what a model needs, measured: the yardsticks of a profile.
#pragma once

#include "laurel/base/json.h"
#include "laurel/base/thread_pool.h"

namespace laurel::profile {

// Of all threads of the pool together, per second.
struct MachineRates {
  double peak_flops = 0;     // multiply-adds on registers, two operations each
  double product_flops = 0;  // the best of linear() over square float32 products out of the cache
  double memory_bytes = 0;   // y = x + y over arrays beyond the caches
};

// Takes about two seconds and 200 MB.
MachineRates measure_machine(ThreadPool& pool);

Json to_json(const MachineRates& rates);

}  // namespace laurel::profile
