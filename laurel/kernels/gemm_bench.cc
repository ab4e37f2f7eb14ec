// linear() and its gradients against the sgemm of OpenBLAS and of BLIS, as far as they are
// installed, on the shapes of real models, as a table of speed ratios.
//
// kernels_gemm_bench [--op forward|dx|dw|all] [--isa NAME] [--threads N] [--rounds N]
//   [--statistic median|min] [--filter TEXT] [--rows 64,256,1024]
// All run alternately in every round; the figures are medians over the rounds, or the best. With
// one thread, time is processor time, which other programs disturb less. Ratios are against the
// faster of the two libraries, which multiply float32, for bf16 weights too (a weight's gradient
// reads no weights). They choose their own instruction sets (environment OPENBLAS_CORETYPE,
// BLIS_ARCH_TYPE).
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "laurel/base/half.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {
namespace {

struct Shape {
  const char* model;
  std::int64_t in;
  std::int64_t out;
};

constexpr Shape kShapes[] = {
    {"SmolLM2-135M", 576, 576},   {"SmolLM2-135M", 576, 192},    {"SmolLM2-135M", 576, 1536},
    {"SmolLM2-135M", 1536, 576},  {"Llama-3.2-1B", 2048, 2048},  {"Llama-3.2-1B", 2048, 512},
    {"Llama-3.2-1B", 2048, 8192}, {"Llama-3.2-1B", 8192, 2048},  {"Llama-3.1-8B", 4096, 4096},
    {"Llama-3.1-8B", 4096, 1024}, {"Llama-3.1-8B", 4096, 14336}, {"Llama-3.1-8B", 14336, 4096},
};

// The C interface of BLAS, as its standard has it; no header, because both libraries are found at
// run time.
constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;
using Sgemm = void(int layout, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                   const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);

// A library of the other side, loaded without its names becoming visible to the other one.
struct Peer {
  std::string name;
  Sgemm* sgemm = nullptr;
};

template <typename Function>
Function* function_of(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

void add_openblas(int num_threads, std::vector<Peer>* peers) {
  void* library = ::dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  function_of<void(int)>(library, "openblas_set_num_threads")(num_threads);
  std::printf("OpenBLAS: %s, core %s\n",
              function_of<const char*()>(library, "openblas_get_config")(),
              function_of<const char*()>(library, "openblas_get_corename")());
  peers->push_back({"OpenBLAS", function_of<Sgemm>(library, "cblas_sgemm")});
}

void add_blis(int num_threads, std::vector<Peer>* peers) {
  void* library = ::dlopen("libblis.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  function_of<void(std::int64_t)>(library, "bli_thread_set_num_threads")(num_threads);
  const int core = function_of<int()>(library, "bli_arch_query_id")();
  std::printf("BLIS: %s, core %s\n",
              function_of<const char*()>(library, "bli_info_get_version_str")(),
              function_of<const char*(int)>(library, "bli_arch_string")(core));
  peers->push_back({"BLIS", function_of<Sgemm>(library, "cblas_sgemm")});
}

enum class Op { kForward, kInputGradient, kWeightGradient };
constexpr Op kOps[] = {Op::kForward, Op::kInputGradient, Op::kWeightGradient};
constexpr const char* kOpNames[] = {"forward", "dx", "dw"};
const char* op_name(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

struct Options {
  std::string op = "forward";
  std::string isa = "best";
  std::string filter;
  std::vector<std::int64_t> rows{64, 256, 1024};
  int threads = 0;
  int rounds = 9;
  bool use_best = false;
};

std::vector<std::int64_t> parse_list(std::string_view text) {
  std::vector<std::int64_t> values;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find(',', at);
    if (end == std::string_view::npos) end = text.size();
    values.push_back(std::atoll(std::string(text.substr(at, end - at)).c_str()));
    at = end + 1;
  }
  return values;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const char* value = argv[i + 1];
    if (key == "--op") options.op = value;
    if (key == "--isa") options.isa = value;
    if (key == "--filter") options.filter = value;
    if (key == "--rows") options.rows = parse_list(value);
    if (key == "--threads") options.threads = std::atoi(value);
    if (key == "--statistic") options.use_best = std::string_view(value) == "min";
    if (key == "--rounds") options.rounds = std::atoi(value);
  }
  return options;
}

// Lets the other library's threads, which spin for a while after their work, go to sleep, and the
// scheduler give each thread that was just woken a core of its own, as in a forward pass, where
// work never pauses.
void settle(const std::function<void()>& run) {
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  using Clock = std::chrono::steady_clock;
  const auto warm = Clock::now() + std::chrono::milliseconds(40);
  while (Clock::now() < warm) run();
}

// Seconds per run, of the processor with one thread.
double seconds(const std::function<void()>& run, int repeats, int num_threads) {
  if (num_threads > 1) settle(run);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const std::clock_t start_clock = std::clock();
  for (int i = 0; i < repeats; ++i) run();
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  const double processor = static_cast<double>(std::clock() - start_clock) / CLOCKS_PER_SEC;
  return (num_threads > 1 ? wall : processor) / repeats;
}

double summarize(std::vector<double> values, const Options& options) {
  std::sort(values.begin(), values.end());
  return options.use_best ? values.front() : values[values.size() / 2];
}

// One shape's data, and the multiplications to compare.
class Case {
 public:
  Case(Op op, const Shape& shape, std::int64_t rows, ThreadPool& pool)
      : op_(op), in_(shape.in), out_(shape.out), rows_(rows), pool_(pool) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (std::int64_t i = 0; i < rows * in_; ++i) x_.push_back(uniform(random));
    for (std::int64_t i = 0; i < rows * out_; ++i) y_.push_back(uniform(random));
    for (std::int64_t i = 0; i < in_ * out_; ++i) {
      w_.push_back(uniform(random));
      w_bf16_.push_back(float_to_bf16(w_.back()));
    }
  }

  void multiply(DType dtype) {
    const Matrix x{x_.data(), rows_, in_, in_}, y{y_.data(), rows_, out_, out_};
    const void* data = dtype == DType::kF32 ? static_cast<const void*>(w_.data()) : w_bf16_.data();
    const Weight w{data, dtype, out_, in_};
    switch (op_) {
      case Op::kForward:
        return linear(x, w, {}, y, Accumulate::kNo, pool_);
      case Op::kInputGradient:
        return linear_input_gradient(y, w, x, Accumulate::kNo, pool_);
      case Op::kWeightGradient:
        return linear_weight_gradient(y, x, {w_.data(), out_, in_, in_}, pool_);
    }
  }

  void multiply(Sgemm* sgemm) {
    const int rows = static_cast<int>(rows_), in = static_cast<int>(in_),
              out = static_cast<int>(out_);
    switch (op_) {
      case Op::kForward:
        return sgemm(kRowMajor, kNoTranspose, kTranspose, rows, out, in, 1.0f, x_.data(), in,
                     w_.data(), in, 0.0f, y_.data(), out);
      case Op::kInputGradient:
        return sgemm(kRowMajor, kNoTranspose, kNoTranspose, rows, in, out, 1.0f, y_.data(), out,
                     w_.data(), in, 0.0f, x_.data(), in);
      case Op::kWeightGradient:
        return sgemm(kRowMajor, kTranspose, kNoTranspose, out, in, rows, 1.0f, y_.data(), out,
                     x_.data(), in, 1.0f, w_.data(), in);
    }
  }

  double gflops() const { return 2e-9 * static_cast<double>(rows_ * in_ * out_); }

 private:
  Op op_;
  std::int64_t in_, out_, rows_;
  ThreadPool& pool_;
  std::vector<float> x_, y_, w_;
  std::vector<std::uint16_t> w_bf16_;
};

void compare(Op op, const Shape& shape, std::int64_t rows, const Options& options,
             const std::vector<Peer>& peers, ThreadPool& pool) {
  Case data(op, shape, rows, pool);
  std::vector<std::function<void()>> runs;
  for (const Peer& peer : peers) runs.push_back([&] { data.multiply(peer.sgemm); });
  runs.push_back([&] { data.multiply(DType::kF32); });
  if (op != Op::kWeightGradient) runs.push_back([&] { data.multiply(DType::kBF16); });
  std::vector<std::vector<double>> times(runs.size());
  const int repeats = std::max(1, static_cast<int>(2.0 / data.gflops()));
  for (int round = -1; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double time = seconds(runs[i], repeats, pool.num_threads());
      if (round >= 0) times[i].push_back(time);
    }
  }
  std::printf("%-7s %-14s %6d %6d %5d ", op_name(op), shape.model, static_cast<int>(shape.in),
              static_cast<int>(shape.out), static_cast<int>(rows));
  double peer_speed = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const double speed = data.gflops() / summarize(times[i], options);
    std::printf(" %8.1f", speed);
    if (i < peers.size()) {
      peer_speed = std::max(peer_speed, speed);
    } else if (peer_speed > 0) {
      std::printf(" %6.2f", speed / peer_speed);
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

int run(const Options& options) {
  select_isa(options.isa);
  ThreadPool pool(options.threads);
  std::printf("%s, %d threads, GFLOP/s (%s of %d)\n", active_isa(), pool.num_threads(),
              options.use_best ? "best" : "medians", options.rounds);
  std::vector<Peer> peers;
  add_openblas(pool.num_threads(), &peers);
  add_blis(pool.num_threads(), &peers);
  std::printf("%-7s %-14s %6s %6s %5s ", "op", "model", "in", "out", "rows");
  for (const Peer& peer : peers) std::printf(" %8s", peer.name.c_str());
  for (const char* ours : {"f32", "bf16"})
    std::printf(peers.empty() ? " %8s" : " %8s  ratio", ours);
  std::printf("\n");
  for (const Op op : kOps) {
    if (options.op != "all" && options.op != op_name(op)) continue;
    for (const Shape& shape : kShapes) {
      const std::string name = std::string(shape.model) + " " + std::to_string(shape.in) + "x" +
                               std::to_string(shape.out);
      if (name.find(options.filter) == std::string::npos) continue;
      for (const std::int64_t rows : options.rows) compare(op, shape, rows, options, peers, pool);
    }
  }
  return 0;
}

}  // namespace
}  // namespace laurel::kernels

int main(int argc, char** argv) { return laurel::kernels::run(laurel::kernels::parse(argc, argv)); }
