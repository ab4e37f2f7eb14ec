// The register tile of the integer products, for one way to multiply. Included by int8_tile.cc in
// a namespace for each, after these; hence no include guard:
//   I32, Ints, kLanes    the tag, a vector and the lanes of int32 sums
//   kTileRows            what fits into the registers
//   Weights              of one group of inputs, from the addresses of the left and right half
// and, where Weights is LoadedWeights,
//   Ints multiply_add(Ints sum, Ints x, Ints b)
//                        sum + x · b: lane by lane, four products of unsigned and signed bytes
// or else a multiply_add_row() of its own.

// left += x · weights of the left half, right likewise. x: four bytes of one row, for all lanes
template <typename InRegisters>
HWY_INLINE void multiply_add_row(Ints& left, Ints& right, const std::uint8_t* x,
                                 const InRegisters& b) {
  const Ints four = broadcast(x);
  left = multiply_add(left, four, b.left);
  right = multiply_add(right, four, b.right);
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86  // else g++ moves all loads up and spills the sums
  asm volatile("" : "+v"(left.raw), "+v"(right.raw));
#endif
}

// Accumulators as members: see tile.cc.
template <int kRows>
struct Sums {
  Sums<kRows - 1> above;
  Ints left;
  Ints right;
};
template <>
struct Sums<0> {};

template <int kRows>
HWY_INLINE void begin(Sums<kRows>& sums) {
  if constexpr (kRows > 0) {
    begin(sums.above);
    sums.left = hn::Zero(I32());
    sums.right = hn::Zero(I32());
  }
}

template <int kRows>
HWY_INLINE void step(Sums<kRows>& sums, const std::uint8_t* a, const Weights& b) {
  if constexpr (kRows > 0) {
    step(sums.above, a, b);
    multiply_add_row(sums.left, sums.right, a + (kRows - 1) * kInt8RowBytes, b);
  }
}

HWY_INLINE void store(Ints sum, std::int32_t* to, Accumulate accumulate) {
  if (accumulate == Accumulate::kYes) sum = hn::Add(sum, hn::LoadU(I32(), to));
  hn::StoreU(sum, I32(), to);
}

template <int kRows>
HWY_INLINE void end(const Sums<kRows>& sums, std::int32_t* to, std::int64_t stride,
                    Accumulate accumulate) {
  if constexpr (kRows > 0) {
    end(sums.above, to, stride, accumulate);
    store(sums.left, to + (kRows - 1) * stride, accumulate);
    store(sums.right, to + (kRows - 1) * stride + kLanes, accumulate);
  }
}

template <int kRows>
HWY_NOINLINE void multiply_tile(const std::uint8_t* a, const std::int8_t* b, std::int64_t right,
                                std::int64_t groups, std::int32_t* sums, std::int64_t stride,
                                Accumulate accumulate) {
  Sums<kRows> acc;
  begin(acc);
#if HWY_COMPILER_GCC_ACTUAL  // clang declines
#pragma GCC unroll 4
#endif
  for (std::int64_t g = 0; g < groups; ++g) {
    step(acc, a, Weights(b, b + right));
    a += kInt8GroupInputs;
    b += kInt8PanelChannels * kInt8GroupInputs;
  }
  end(acc, sums, stride, accumulate);
}

template <int kRows>
Int8Tile find_tile(std::int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return find_tile<kRows - 1>(rows);
  }
  return multiply_tile<kRows>;
}
