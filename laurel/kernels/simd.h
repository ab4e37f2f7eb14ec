// Google Highway as this module uses it. A file with vector code defines HWY_TARGET_INCLUDE to its
// own path, includes <hwy/foreach_target.h> after this header, and is then compiled once per
// instruction set.
//
// The vector code wants the number of lanes as a constant, so sets with run-time vector lengths are
// left out; SSSE3 without SSE4 is too rare to compile everything once more for it.
#pragma once

// LAUREL_FEWER_ISAS leaves AVX2 and the compiler's baseline: sanitizer builds check the same code
// in half the time.
#ifdef LAUREL_FEWER_ISAS
#define LAUREL_LEFT_OUT (HWY_SSE4 | HWY_AVX3)
#else
#define LAUREL_LEFT_OUT 0
#endif
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | LAUREL_LEFT_OUT)
#endif

namespace laurel::kernels {

// The best instruction set, unless one has been chosen.
void ensure_isa();

}  // namespace laurel::kernels

// Highway's dispatch alone would, while no set is chosen, give a function that asks the processor
// at each of its calls: 20 µs in a virtual machine, for every row of the first op.
#define LAUREL_DISPATCH(function) (::laurel::kernels::ensure_isa(), HWY_DYNAMIC_DISPATCH(function))
