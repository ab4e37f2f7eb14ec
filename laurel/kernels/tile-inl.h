// The two inner loops of matrix products and attention: the register tile (tile.cc),
//   c[R, 2 vectors] += a[R, depth] · b[depth, 2 vectors], one chain of multiply-adds per element in
//   ascending depth,
// and the expansion of stored elements to the panels b that it reads (panel.cc). Compiled once per
// instruction set.
#include <cstdint>

#include "hwy/highway.h"
#include "laurel/base/dtype.h"

#if defined(LAUREL_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LAUREL_KERNELS_TILE_INL_H_
#undef LAUREL_KERNELS_TILE_INL_H_
#else
#define LAUREL_KERNELS_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace laurel::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;

constexpr std::int64_t kLanes = HWY_LANES(float);
// AVX-512 and Arm have 32 vector registers, the others 16.
constexpr bool kManyRegisters = HWY_ARCH_ARM || kLanes == 16;
constexpr int kTileRows = kManyRegisters ? 14 : 6;
constexpr std::int64_t kPanelCols = 2 * kLanes;

// Longest depth of one call, and the distance between rows of `a`: a constant, so that one register
// addresses all rows; an odd number of cache lines, so that the rows do not fall into the same
// cache sets.
constexpr std::int64_t kMaxDepth = kManyRegisters ? 576 : 384;
constexpr std::int64_t kDepthStride = kMaxDepth + 16;

// Distance between columns of an `a` that lies transposed.
constexpr std::int64_t kColumnStride = kTileRows > 8 ? 16 : 8;

enum class Start { kZero, kContinue };
// Whether a[r, k] lies at r · kDepthStride + k, or at k · kColumnStride + r.
enum class TileInput { kRows, kColumns };

// Rows of `depth` floats, `stride` apart, that are going to be read after this call: it brings them
// into the second-level cache. The tile of many registers does so a line here and there, where a
// run of prefetches would wait for its end. No rows: nothing to bring.
struct Ahead {
  const float* data = nullptr;
  std::int64_t stride = 0;
  std::int64_t rows = 0;
};

using TileFunction = void (*)(const float*, const float*, std::int64_t, float*, std::int64_t, Start,
                              const Ahead&);

// The tile for `rows` rows, 1 <= rows <= kTileRows:
//   a: [rows, depth], laid out as `input` says; b: [depth, kPanelCols] dense; c: [rows,
//   kPanelCols], c_stride apart.
TileFunction tile_function(std::int64_t rows, TileInput input = TileInput::kRows);

// A rectangle of stored elements: `rows` rows, the first at `data`, `row_bytes` apart.
struct StoredRows {
  const unsigned char* data = nullptr;
  std::int64_t row_bytes = 0;
  std::int64_t rows = 0;
};

// Up to kPanelCols rows of `depth` stored elements as a panel [depth, kPanelCols] of float32:
// column c of the panel is row c. Columns past the last row become 0.
void expand_panel(DType dtype, const StoredRows& stored, std::int64_t depth, float* panel);

// Rows of `cols` stored elements as panels [rows, kPanelCols], panel_stride floats apart: row k of
// panel p holds elements [p · kPanelCols, (p + 1) · kPanelCols) of row k. Columns past the last
// become 0.
void widen_panels(DType dtype, const StoredRows& stored, std::int64_t cols, float* panels,
                  std::int64_t panel_stride);

}  // namespace laurel::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
