// Speed of attention's forward, its form with log-sum-exps and its backward, as a table.
//
// kernels_attention_bench [--isa NAME] [--threads N] [--rounds N]
// The three run alternately in every round; the figures are those of the best round. With one
// thread, time is processor time, which other programs disturb less. Work is 4 (forward) and 10
// (backward) operations per head dimension, head and pair of a query and a key that it sees.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/kernels/backward.h"
#include "laurel/kernels/ops.h"

namespace laurel::kernels {
namespace {

struct Options {
  std::string isa = "best";
  int threads = 1;
  int rounds = 7;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    if (key == "--isa") options.isa = argv[i + 1];
    if (key == "--threads") options.threads = std::atoi(argv[i + 1]);
    if (key == "--rounds") options.rounds = std::atoi(argv[i + 1]);
  }
  return options;
}

// A forest of equal trees: a root, and children that continue it. `score_points`: only the last
// token of every leaf asks, as in the last layer.
struct Layout {
  const char* name;
  std::int64_t trees;
  std::int64_t root;
  std::int64_t children;
  std::int64_t child;
  bool score_points;
};

constexpr Layout kLayouts[] = {
    {"40", 1, 40, 0, 0, false},
    {"256", 1, 256, 0, 0, false},
    {"1024", 1, 1024, 0, 0, false},
    {"4 x (200 + 2 x 150)", 4, 200, 2, 150, false},
    {"1 x (500 + 16 x 40)", 1, 500, 16, 40, false},
    {"last of 4 x (200 + 2 x 150)", 4, 200, 2, 150, true},
    {"last of 1 x (500 + 16 x 40)", 1, 500, 16, 40, true},
};

struct Forest {
  std::vector<AttentionSegment> segments;
  std::vector<QueryRun> runs;
  std::int64_t num_rows = 0;
  std::int64_t num_query_rows = 0;
  double pairs = 0;
};

void add_segment(Forest& forest, std::int64_t rows, std::int32_t parent, std::int64_t num_queries) {
  const bool root = parent < 0;
  const std::int64_t start = root ? 0 : forest.segments[static_cast<std::size_t>(parent)].num_rows;
  const auto index = static_cast<std::int32_t>(forest.segments.size());
  const std::int64_t first = rows - num_queries;
  forest.segments.push_back({forest.num_rows, rows, start, parent});
  forest.num_rows += rows;
  if (num_queries > 0) forest.runs.push_back({index, first, num_queries, forest.num_query_rows});
  forest.num_query_rows += num_queries;
  for (std::int64_t i = first; i < rows; ++i) forest.pairs += static_cast<double>(start + i + 1);
}

Forest make_forest(const Layout& layout) {
  Forest forest;
  for (std::int64_t t = 0; t < layout.trees; ++t) {
    const auto root = static_cast<std::int32_t>(forest.segments.size());
    add_segment(forest, layout.root, -1, layout.score_points ? 0 : layout.root);
    for (std::int64_t c = 0; c < layout.children; ++c)
      add_segment(forest, layout.child, root, layout.score_points ? 1 : layout.child);
  }
  return forest;
}

class Case {
 public:
  Case(const Layout& layout, const AttentionShape& shape, ThreadPool& pool)
      : forest_(make_forest(layout)), shape_(shape), pool_(pool) {
    const std::int64_t q_cols = shape.num_heads * shape.head_dim;
    const std::int64_t kv_cols = shape.num_kv_heads * shape.head_dim;
    for (auto* m : {&q_, &dout_, &out_, &dq_}) fill(*m, forest_.num_query_rows * q_cols);
    for (auto* m : {&k_, &v_, &dk_, &dv_}) fill(*m, forest_.num_rows * kv_cols);
    fill(log_sum_exp_, forest_.num_query_rows * shape.num_heads);
  }

  void forward() {
    forest_attention(queries(q_), keys(k_), keys(v_), forest_.segments, forest_.runs, shape_,
                     queries(out_), pool_);
  }
  void forward_log_sum_exp() {
    forest_attention(queries(q_), keys(k_), keys(v_), forest_.segments, forest_.runs, shape_,
                     queries(out_), log_sums(), pool_);
  }
  void backward() {
    forest_attention_backward(
        {queries(q_), keys(k_), keys(v_), queries(out_), log_sums(), queries(dout_)},
        forest_.segments, forest_.runs, shape_, {queries(dq_), keys(dk_), keys(dv_)}, pool_);
  }
  double forward_gflop() const {
    return 4e-9 * forest_.pairs * static_cast<double>(shape_.num_heads * shape_.head_dim);
  }

 private:
  void fill(std::vector<float>& values, std::int64_t count) {
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(normal(random_));
  }
  static Matrix view(std::vector<float>& values, std::int64_t rows, std::int64_t cols) {
    return {values.data(), rows, cols, cols};
  }
  Matrix queries(std::vector<float>& values) const {
    return view(values, forest_.num_query_rows, shape_.num_heads * shape_.head_dim);
  }
  Matrix keys(std::vector<float>& values) const {
    return view(values, forest_.num_rows, shape_.num_kv_heads * shape_.head_dim);
  }
  Matrix log_sums() { return view(log_sum_exp_, forest_.num_query_rows, shape_.num_heads); }

  Forest forest_;
  AttentionShape shape_;
  ThreadPool& pool_;
  std::mt19937 random_{7};
  std::vector<float> q_, k_, v_, out_, log_sum_exp_, dout_, dq_, dk_, dv_;
};

// Seconds per run.
double seconds(const std::function<void()>& run, int repeats, bool processor_time) {
  using Clock = std::chrono::steady_clock;
  run();
  const auto start = Clock::now();
  const std::clock_t start_clock = std::clock();
  for (int i = 0; i < repeats; ++i) run();
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  const double processor = static_cast<double>(std::clock() - start_clock) / CLOCKS_PER_SEC;
  return (processor_time ? processor : wall) / repeats;
}

void measure(const Layout& layout, const AttentionShape& shape, const Options& options,
             ThreadPool& pool) {
  Case data(layout, shape, pool);
  const std::function<void()> runs[] = {
      [&] { data.forward(); }, [&] { data.forward_log_sum_exp(); }, [&] { data.backward(); }};
  double best[] = {1e9, 1e9, 1e9};
  const int repeats = std::max(1, static_cast<int>(0.5 / data.forward_gflop()));
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < 3; ++i)
      best[i] = std::min(best[i], seconds(runs[i], repeats, pool.num_threads() == 1));
  }
  const double forward = data.forward_gflop() / best[0];
  const double backward = 2.5 * data.forward_gflop() / best[2];
  std::printf("%2d/%d x %-3d  %-28s %8.1f %8.3f %8.1f %8.2f\n", static_cast<int>(shape.num_heads),
              static_cast<int>(shape.num_kv_heads), static_cast<int>(shape.head_dim), layout.name,
              forward, best[1] / best[0], backward, backward / forward);
  std::fflush(stdout);
}

int run(const Options& options) {
  select_isa(options.isa);
  ThreadPool pool(options.threads);
  std::printf("attention on %s, %d threads, GFLOP/s (best of %d)\n", active_isa(),
              pool.num_threads(), options.rounds);
  std::printf("%-11s %-28s %8s %8s %8s %8s\n", "heads", "tokens", "forward", "lse time", "backward",
              "ratio");
  for (const auto& [heads, kv_heads, dim] : {std::array{9, 3, 64}, std::array{32, 8, 128}}) {
    const AttentionShape shape{heads, kv_heads, dim, 1 / std::sqrt(static_cast<float>(dim)), 0, 0};
    for (const Layout& layout : kLayouts) measure(layout, shape, options, pool);
  }
  return 0;
}

}  // namespace
}  // namespace laurel::kernels

int main(int argc, char** argv) { return laurel::kernels::run(laurel::kernels::parse(argc, argv)); }
