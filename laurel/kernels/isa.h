// What of the processor the choice of an instruction set leaves open.
#pragma once

namespace laurel::kernels {

// Extensions with dot products of bytes, which Highway's targets do not tell from plain AVX2 and
// AVX-512.
enum class DotProducts {
  kAvxVnni,     // of client processors, with AVX2
  kAvx512Vnni,  // with AVX-512
  kAmx,         // AMX-INT8: of tiles, with AVX-512 and its VNNI
};

// Whether to use it: processor and system have it, and select_isa() was not told a worse set.
bool use_dot_products(DotProducts kind);

}  // namespace laurel::kernels
