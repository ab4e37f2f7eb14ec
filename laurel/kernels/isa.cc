// Choosing the instruction set that every op of this module then runs on.
#include "laurel/kernels/isa.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "laurel/base/error.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "laurel/kernels/isa.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#if HWY_ARCH_X86
#include <cpuid.h>
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
const char* target_name() { return hwy::TargetName(HWY_TARGET); }
}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace laurel::kernels {
namespace {

HWY_EXPORT(target_name);

struct Isa {
  std::string_view name;
  std::int64_t targets;
  std::optional<Vnni> vnni = {};
};

// Worst first.
constexpr std::array kIsas{Isa{"scalar", HWY_SCALAR | HWY_EMU128},
                           Isa{"neon", HWY_NEON},
                           Isa{"sse4", HWY_SSE4},
                           Isa{"avx2", HWY_AVX2},
                           Isa{"avx2_vnni", HWY_AVX2, Vnni::kAvx2},
                           Isa{"avx512", HWY_AVX3 | HWY_AVX3_DL},
                           Isa{"avx512_vnni", HWY_AVX3, Vnni::kAvx512}};

std::int64_t usable_targets() { return hwy::SupportedTargets() & (HWY_TARGETS); }

bool has_vnni([[maybe_unused]] Vnni vnni) {
#if HWY_ARCH_X86
  if (vnni == Vnni::kAvx512) return __builtin_cpu_supports("avx512vnni") != 0;
  constexpr unsigned kAvxVnni = 1 << 4;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
#else
  return false;
#endif
}

bool is_available(const Isa& isa) {
  return (isa.targets & usable_targets()) != 0 && (!isa.vnni || has_vnni(*isa.vnni));
}

std::atomic<bool> may_use_vnni = true;

}  // namespace

const char* active_isa() {
  if (!hwy::GetChosenTarget().IsInitialized()) select_isa("best");
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : kIsas) {
    if (is_available(isa)) names.emplace_back(isa.name);
  }
  return names;
}

void select_isa(std::string_view name) {
  if (name == "best") {
    may_use_vnni = true;
    return hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  for (const Isa& isa : kIsas) {
    if (isa.name != name || !is_available(isa)) continue;
    may_use_vnni = isa.vnni.has_value();
    return hwy::GetChosenTarget().Update(isa.targets & usable_targets());
  }
  std::string expected = "best";
  for (const std::string& known : available_isas()) expected += ", " + known;
  throw UserError("instruction set: not available, expected one of {}, got {}", expected, name);
}

bool use_vnni(Vnni vnni) {
  static const bool has[] = {has_vnni(Vnni::kAvx512), has_vnni(Vnni::kAvx2)};
  return may_use_vnni && has[vnni == Vnni::kAvx512 ? 0 : 1];
}

}  // namespace laurel::kernels
#endif
