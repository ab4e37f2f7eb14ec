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
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
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
  std::optional<DotProducts> dot_products = {};  // and those of the sets before it
};

// Worst first.
constexpr std::array kIsas{Isa{"scalar", HWY_SCALAR | HWY_EMU128},
                           Isa{"neon", HWY_NEON},
                           Isa{"sse4", HWY_SSE4},
                           Isa{"avx2", HWY_AVX2},
                           Isa{"avx2_vnni", HWY_AVX2, DotProducts::kAvxVnni},
                           Isa{"avx512", HWY_AVX3 | HWY_AVX3_DL},
                           Isa{"avx512_vnni", HWY_AVX3, DotProducts::kAvx512Vnni},
                           Isa{"avx512_amx", HWY_AVX3, DotProducts::kAmx}};

std::int64_t usable_targets() { return hwy::SupportedTargets() & (HWY_TARGETS); }

#if HWY_ARCH_X86

struct CpuId {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  CpuId(unsigned leaf, unsigned subleaf) {
    __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx);
  }
};

// The system gives a process the memory of the tiles' registers when asked.
bool may_use_tiles() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool find_dot_products(DotProducts kind) {
  switch (kind) {
    case DotProducts::kAvxVnni:
      return (CpuId(7, 1).eax & (1u << 4)) != 0;
    case DotProducts::kAvx512Vnni:
      return __builtin_cpu_supports("avx512vnni") != 0;
    case DotProducts::kAmx: {
      constexpr unsigned kTiles = (1u << 24) | (1u << 25);  // AMX-TILE and AMX-INT8
      return find_dot_products(DotProducts::kAvx512Vnni) && (CpuId(7, 0).edx & kTiles) == kTiles &&
             may_use_tiles();
    }
  }
  return false;
}

#else

bool find_dot_products(DotProducts) { return false; }

#endif

bool has_dot_products(DotProducts kind) {
  static const bool has[] = {find_dot_products(DotProducts::kAvxVnni),
                             find_dot_products(DotProducts::kAvx512Vnni),
                             find_dot_products(DotProducts::kAmx)};
  return has[static_cast<int>(kind)];
}

bool is_available(const Isa& isa) {
  return (isa.targets & usable_targets()) != 0 &&
         (!isa.dot_products || has_dot_products(*isa.dot_products));
}

// The last of DotProducts that may be used, or -1.
constexpr int kAllDotProducts = static_cast<int>(DotProducts::kAmx);
std::atomic<int> last_dot_products = kAllDotProducts;

}  // namespace

void ensure_isa() {
  if (!hwy::GetChosenTarget().IsInitialized()) select_isa("best");
}

const char* active_isa() { return LAUREL_DISPATCH(target_name)(); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : kIsas) {
    if (is_available(isa)) names.emplace_back(isa.name);
  }
  return names;
}

void select_isa(std::string_view name) {
  if (name == "best") {
    last_dot_products = kAllDotProducts;
    return hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  for (const Isa& isa : kIsas) {
    if (isa.name != name || !is_available(isa)) continue;
    last_dot_products = isa.dot_products ? static_cast<int>(*isa.dot_products) : -1;
    return hwy::GetChosenTarget().Update(isa.targets & usable_targets());
  }
  std::string expected = "best";
  for (const std::string& known : available_isas()) expected += ", " + known;
  throw UserError("instruction set: not available, expected one of {}, got {}", expected, name);
}

bool use_dot_products(DotProducts kind) {
  return static_cast<int>(kind) <= last_dot_products && has_dot_products(kind);
}

}  // namespace laurel::kernels
#endif
