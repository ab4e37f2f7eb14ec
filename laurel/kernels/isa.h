// What of the processor the choice of an instruction set leaves open.
#pragma once

namespace laurel::kernels {

// Whether to use AVX-512's dot products of bytes: the processor has them, and select_isa() was not
// told a worse set. Highway's targets do not tell them from plain AVX-512.
bool use_vnni();

}  // namespace laurel::kernels
