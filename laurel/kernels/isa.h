// What of the processor the choice of an instruction set leaves open.
#pragma once

namespace laurel::kernels {

// The two extensions with dot products of bytes, which Highway's targets do not tell from plain
// AVX-512 and AVX2: AVX512-VNNI, and AVX-VNNI of client processors.
enum class Vnni { kAvx512, kAvx2 };

// Whether to use it: the processor has it, and select_isa() was not told a worse set.
bool use_vnni(Vnni vnni);

}  // namespace laurel::kernels
