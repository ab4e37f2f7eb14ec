// Integer products against linear() in float32 on the shapes of real models.
//
// kernels_int8_bench [--isa NAME] [--rounds N]
// One thread, processor time, best of the rounds; the two run alternately. "quantize" is the share
// of the integer product's time that rotating and quantizing x adds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string_view>
#include <vector>

#include "laurel/kernels/int8.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {
namespace {

constexpr std::int64_t kShapes[][2] = {{576, 576},   {576, 192},   {576, 1536},  {1536, 576},
                                       {2048, 2048}, {2048, 8192}, {8192, 2048}, {4096, 4096}};

double best_seconds(const std::function<void()>& run, double work) {
  const int repeats = std::max(1, static_cast<int>(4e8 / work));
  const std::clock_t start = std::clock();
  for (int i = 0; i < repeats; ++i) run();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / repeats;
}

void compare(std::int64_t in, std::int64_t out, std::int64_t rows, int rounds, ThreadPool& pool) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> x(static_cast<std::size_t>(rows * in)), w(static_cast<std::size_t>(out * in));
  for (float& value : x) value = uniform(random);
  for (float& value : w) value = uniform(random);
  std::vector<float> y(static_cast<std::size_t>(rows * out)), w_scales(y.size());
  std::vector<std::int8_t> packed(static_cast<std::size_t>(packed_int8_bytes(out, in)));
  std::vector<std::int32_t> w_sums(static_cast<std::size_t>(out));
  std::vector<float> offsets(w_sums.size());
  const std::vector<float> center(static_cast<std::size_t>(in));
  quantize_weight({w.data(), DType::kF32, out, in}, {},
                  {packed.data(), w_scales.data(), w_sums.data(), offsets.data()}, {}, pool);
  const Int8Weight weight{packed.data(), w_scales.data(), w_sums.data(),
                          center.data(), offsets.data(),  out};
  std::vector<std::uint8_t> values(x.size());
  std::vector<float> x_scales(static_cast<std::size_t>(rows));
  std::vector<std::int32_t> zero_points(static_cast<std::size_t>(rows));
  Int8Matrix quantized;
  quantized.values = values.data();
  quantized.scales = x_scales.data();
  quantized.zero_points = zero_points.data();
  quantized.rows = rows;
  quantized.cols = quantized.stride = in;
  const Matrix result{y.data(), rows, out, out};
  const ConstMatrix input{x.data(), rows, in, in};
  const std::function<void()> runs[] = {
      [&] {
        linear(input, {w.data(), DType::kF32, out, in}, {}, result, Accumulate::kNo, pool);
      },
      [&] { int8_linear(quantized, weight, {}, result, Accumulate::kNo, pool); },
      [&] { quantize_rows(input, center.data(), quantized, pool); }};
  runs[2]();
  const auto work = static_cast<double>(rows * in * out);
  double best[3] = {1e9, 1e9, 1e9};
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 3; ++i)
      best[i] = std::min(best[i], best_seconds(runs[i], i == 2 ? work / 50 : work));
  }
  std::printf("%6d %6d %5d %9.1f %9.1f %7.2f %8.1f%%\n", static_cast<int>(in),
              static_cast<int>(out), static_cast<int>(rows), 2e-9 * work / best[0],
              2e-9 * work / best[1], best[0] / best[1], 100 * best[2] / best[1]);
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  int rounds = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--isa") select_isa(argv[i + 1]);
    if (std::string_view(argv[i]) == "--rounds") rounds = std::atoi(argv[i + 1]);
  }
  ThreadPool pool(1);
  std::printf("%6s %6s %5s %9s %9s %7s %9s\n", "in", "out", "rows", "GFLOP/s", "GOP/s", "ratio",
              "quantize");
  for (const auto& shape : kShapes) {
    for (const std::int64_t rows : {1, 16, 64, 256, 1024})
      compare(shape[0], shape[1], rows, rounds, pool);
  }
  return 0;
}

}  // namespace
}  // namespace laurel::kernels

int main(int argc, char** argv) { return laurel::kernels::run(argc, argv); }
