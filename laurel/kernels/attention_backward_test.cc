#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "laurel/kernels/attention_backward_plan.h"
#include "laurel/kernels/attention_plan.h"
#include "laurel/kernels/attention_test_data.h"
#include "laurel/kernels/backward.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/reference_attention.h"

namespace laurel::kernels {
namespace {

using namespace testing;

// One call's inputs, forward's results and gradients.
struct Training {
  Forest forest;
  std::vector<QueryRun> runs;
  AttentionShape shape;
  Grid2 q, k, v, dout;

  Training(Forest f, std::vector<QueryRun> r, const AttentionShape& s, std::mt19937& rng)
      : forest(std::move(f)), runs(std::move(r)), shape(s), q(0, 0), k(0, 0), v(0, 0), dout(0, 0) {
    std::int64_t query_rows = 0;
    for (const QueryRun& run : runs)
      query_rows = std::max(query_rows, run.query_row + run.num_rows);
    const std::int64_t q_cols = shape.num_heads * shape.head_dim;
    const std::int64_t kv_cols = shape.num_kv_heads * shape.head_dim;
    q = Grid2::random(query_rows, q_cols, 3, rng, 2);
    k = Grid2::random(forest.num_rows, kv_cols, 1, rng, 2);
    v = Grid2::random(forest.num_rows, kv_cols, 2, rng);
    dout = Grid2::random(query_rows, q_cols, 5, rng);
  }
  Training(Forest f, const AttentionShape& s, std::mt19937& rng)
      : Training(f, f.whole_runs(), s, rng) {}
};

struct Results {
  Grid2 out, log_sum_exp, dq, dk, dv;
};

Results train(Training& data, int threads) {
  ThreadPool pool(threads);
  Results results{Grid2(data.q.rows(), data.q.cols(), 1),
                  Grid2(data.q.rows(), data.shape.num_heads, 2),
                  Grid2(data.q.rows(), data.q.cols(), 2), Grid2(data.k.rows(), data.k.cols(), 7),
                  Grid2(data.k.rows(), data.k.cols(), 3)};
  forest_attention(data.q.view(), data.k.view(), data.v.view(), data.forest.segments, data.runs,
                   data.shape, results.out.view(), results.log_sum_exp.view(), pool);
  forest_attention_backward({data.q.view(), data.k.view(), data.v.view(), results.out.view(),
                             results.log_sum_exp.view(), data.dout.view()},
                            data.forest.segments, data.runs, data.shape,
                            {results.dq.view(), results.dk.view(), results.dv.view()}, pool);
  return results;
}

void expect_same_bits(const Results& got, const Results& want) {
  EXPECT_TRUE(same_bits(got.log_sum_exp, want.log_sum_exp));
  EXPECT_TRUE(same_bits(got.dq, want.dq));
  EXPECT_TRUE(same_bits(got.dk, want.dk));
  EXPECT_TRUE(same_bits(got.dv, want.dv));
}

reference::AttentionGradients differentiate(Training& data,
                                            reference::Terms terms = reference::Terms::kSigned) {
  return reference::forest_attention_backward(data.q.view(), data.k.view(), data.v.view(),
                                              data.dout.view(), data.forest.segments, data.runs,
                                              data.shape, terms);
}

// Largest error of a score: d products, scaled (or the soft cap's own error).
double score_bound(const Training& data) {
  const std::int64_t dim = data.shape.head_dim;
  double q_size = 0, k_sum = 0;
  Grid2 q = data.q.absolute(), k = data.k.absolute();
  for (std::int64_t r = 0; r < q.rows(); ++r) {
    for (std::int64_t c = 0; c < q.cols(); ++c) q_size = std::max(q_size, double{q.at(r, c)});
  }
  for (std::int64_t r = 0; r < k.rows(); ++r) {
    for (std::int64_t h = 0; h < data.shape.num_kv_heads; ++h) {
      double sum = 0;
      for (std::int64_t c = 0; c < dim; ++c) sum += k.at(r, h * dim + c);
      k_sum = std::max(k_sum, sum);
    }
  }
  return kEps * ((static_cast<double>(dim) + 3) * q_size * k_sum * data.shape.scale +
                 8 * static_cast<double>(data.shape.soft_cap));
}

// Error of a gradient, relative to the sum of the sizes of its terms. A weight e^(s - lse) has the
// errors of two scores, and of the sum and its logarithm; the mean dout · out has them again, and
// so has the soft cap's slope; then come chains over the keys, the query rows and the head
// dimension.
double relative_bound(const Training& data, const std::vector<double>& log_sum_exp) {
  double largest_log = 0;
  for (const double value : log_sum_exp) largest_log = std::max(largest_log, std::abs(value));
  const double cap = data.shape.soft_cap;
  const double score = score_bound(data) * (cap > 0 ? 4 + 2 / cap : 4);
  const double chains = static_cast<double>(data.forest.num_rows + 2 * data.shape.head_dim +
                                            data.q.rows() * data.shape.num_heads);
  return score + kEps * (2 * largest_log + 2 * chains + 40);
}

void expect_close(Grid2& got, const std::vector<double>& want, const std::vector<double>& sizes,
                  double relative) {
  std::vector<double> bound;
  for (const double size : sizes) bound.push_back(size * relative + 1e-30);
  testing::expect_close(got, want, bound);
}

// Some rows of every segment, in runs of random lengths, in any order.
std::vector<QueryRun> random_runs(const Forest& forest, int longest, std::mt19937& rng) {
  std::vector<QueryRun> runs;
  for (std::size_t s = 0; s < forest.segments.size(); ++s) {
    for (std::int64_t first = 0; first < forest.segments[s].num_rows;) {
      const std::int64_t count =
          std::min(forest.segments[s].num_rows - first,
                   std::uniform_int_distribution<std::int64_t>(1, longest)(rng));
      if (rng() % 3 != 0) runs.push_back({static_cast<std::int32_t>(s), first, count, 0});
      first += count;
    }
  }
  if (runs.empty()) runs.push_back({0, 0, 1, 0});
  std::shuffle(runs.begin(), runs.end(), rng);
  std::int64_t row = 0;
  for (QueryRun& run : runs) {
    run.query_row = row;
    row += run.num_rows;
  }
  return runs;
}

void expect_reference(Training& data) {
  const auto lse = reference::attention_log_sum_exp(
      data.q.view(), data.k.view(), data.forest.segments, data.runs, data.shape, data.q.rows());
  const auto want = differentiate(data);
  const auto sizes = differentiate(data, reference::Terms::kMagnitudes);
  const double relative = relative_bound(data, lse);
  for_each_isa([&](const std::string&) {
    Results got = train(data, 2);
    // Of the logarithm, the error is that of a score and of the relative one of the sum.
    expect_close(got.log_sum_exp, lse, std::vector<double>(lse.size(), 1.0), relative);
    expect_close(got.dq, want.dq, sizes.dq, relative);
    expect_close(got.dk, want.dk, sizes.dk, relative);
    expect_close(got.dv, want.dv, sizes.dv, relative);
  });
}

TEST(ForestAttentionBackward, AgreesWithReference) {
  std::mt19937 rng(1);
  for (const AttentionShape& shape : kShapes) {
    for (int round = 0; round < 3; ++round) {
      SCOPED_TRACE(::testing::Message()
                   << shape.num_heads << "/" << shape.num_kv_heads << " heads of " << shape.head_dim
                   << ", window " << shape.window << ", round " << round);
      const Forest forest = random_forest(rng);
      Training data(forest, round == 0 ? forest.whole_runs() : random_runs(forest, 40 / round, rng),
                    shape, rng);
      expect_reference(data);
    }
  }
}

// Runs of different segments in one step, in any order.
TEST(ForestAttentionBackward, ShortRunsOfManySegmentsAgreeWithReference) {
  std::mt19937 rng(12);
  for (const AttentionShape& shape :
       {shape_of(3, 1, 8), shape_of(4, 4, 16, 9), shape_of(6, 2, 20, 30, 5.0f)}) {
    for (int round = 0; round < 4; ++round) {
      SCOPED_TRACE(::testing::Message() << "window " << shape.window << ", round " << round);
      const Forest forest = random_forest(rng, 40, round % 2 == 0 ? 8 : 70);
      Training data(forest, random_runs(forest, 3, rng), shape, rng);
      expect_reference(data);
    }
  }
}

// A query's gradient does not depend on which runs it comes in.
TEST(ForestAttentionBackward, RunsOfAnyLengthGiveTheSameQueryGradients) {
  std::mt19937 rng(13);
  for (const AttentionShape& shape : kShapes) {
    const Forest forest = random_forest(rng);
    Training full(forest, shape, rng);
    Training some(forest, random_runs(forest, 3, rng), shape, rng);
    some.k = full.k;
    some.v = full.v;
    std::vector<std::int64_t> source(static_cast<std::size_t>(some.q.rows()));
    for (const QueryRun& run : some.runs) {
      for (std::int64_t i = 0; i < run.num_rows; ++i) {
        const auto s = static_cast<std::size_t>(run.segment);
        const std::int64_t from = forest.segments[s].row_offset + run.first + i;
        source[static_cast<std::size_t>(run.query_row + i)] = from;
        for (std::int64_t c = 0; c < full.q.cols(); ++c) {
          some.q.at(run.query_row + i, c) = full.q.at(from, c);
          some.dout.at(run.query_row + i, c) = full.dout.at(from, c);
        }
      }
    }
    for_each_isa([&](const std::string&) {
      Results want = train(full, 1);
      Results got = train(some, 2);
      for (std::int64_t r = 0; r < some.q.rows(); ++r) {
        ASSERT_EQ(0,
                  std::memcmp(&want.dq.at(source[static_cast<std::size_t>(r)], 0), &got.dq.at(r, 0),
                              static_cast<std::size_t>(want.dq.cols()) * sizeof(float)))
            << r;
      }
    });
  }
}

double sum_of_products(const std::vector<double>& out, Grid2& dout) {
  double sum = 0;
  for (std::int64_t r = 0; r < dout.rows(); ++r) {
    for (std::int64_t c = 0; c < dout.cols(); ++c)
      sum += out[static_cast<std::size_t>(r * dout.cols() + c)] * double{dout.at(r, c)};
  }
  return sum;
}

// The reference's derivatives against its own function, by central differences.
TEST(ReferenceAttentionBackward, IsTheDerivativeOfTheForward) {
  std::mt19937 rng(2);
  for (const AttentionShape& shape :
       {shape_of(4, 2, 5), shape_of(2, 1, 3, 4), shape_of(2, 2, 4, 0, 3.0f)}) {
    const Forest forest = random_forest(rng, 4, 6);
    Training data(forest, random_runs(forest, 3, rng), shape, rng);
    const auto loss = [&] {
      return sum_of_products(
          reference::forest_attention(data.q.view(), data.k.view(), data.v.view(), forest.segments,
                                      data.runs, shape, data.q.rows()),
          data.dout);
    };
    const auto gradients = differentiate(data);
    const auto check = [&](Grid2& input, const std::vector<double>& want) {
      for (std::size_t i = 0; i < want.size(); ++i) {
        const auto n = static_cast<std::int64_t>(i);
        float& element = input.at(n / input.cols(), n % input.cols());
        const float old = element;
        const float above = old + 0x1p-10f, below = old - 0x1p-10f;
        element = above;
        double difference = loss();
        element = below;
        difference -= loss();
        element = old;
        EXPECT_NEAR(difference / (double{above} - double{below}), want[i], 1e-4) << i;
      }
    };
    check(data.q, gradients.dq);
    check(data.k, gradients.dk);
    check(data.v, gradients.dv);
  }
}

double relative_rms_error(Grid2& got, const std::vector<double>& want) {
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    errors += std::pow(double{got.at(n / got.cols(), n % got.cols())} - want[i], 2);
    squares += std::pow(want[i], 2);
  }
  return std::sqrt(errors / squares);
}

// The bounds above are worst cases; typical errors must stay near rounding itself.
TEST(ForestAttentionBackward, TypicalErrorIsOfTheOrderOfRounding) {
  std::mt19937 rng(3);
  Forest forest;
  forest.add(-1, 200);
  forest.add(0, 70);
  forest.add(0, 90);
  Training data(forest, shape_of(4, 2, 64), rng);
  const auto want = differentiate(data);
  for_each_isa([&](const std::string&) {
    Results got = train(data, 1);
    EXPECT_LT(relative_rms_error(got.dq, want.dq), 20 * kEps);
    EXPECT_LT(relative_rms_error(got.dk, want.dk), 20 * kEps);
    EXPECT_LT(relative_rms_error(got.dv, want.dv), 20 * kEps);
  });
}

TEST(ForestAttentionBackward, BitsAgreeBetweenInstructionSetsAndThreads) {
  std::mt19937 rng(4);
  for (const AttentionShape& shape : kShapes) {
    const Forest forest = random_forest(rng);
    Training data(forest, random_runs(forest, 60, rng), shape, rng);
    std::optional<Results> fused, plain;
    for_each_isa([&](const std::string& isa) {
      std::optional<Results>& first = fuses(isa) ? fused : plain;
      for (const int threads : {1, 2, 3, 5}) {
        Results results = train(data, threads);
        if (first) expect_same_bits(results, *first);
        if (!first) first = std::move(results);
      }
    });
  }
}

// One long tree and one key/value head: all threads' steps add to the same keys, in turns.
TEST(ForestAttentionBackward, ThreadsTakeTurnsAtOneTree) {
  std::mt19937 rng(5);
  Forest forest;
  forest.add(-1, 700);
  forest.add(0, 200);
  forest.add(0, 200);
  Training data(forest, shape_of(4, 1, 32), rng);
  const Results one = train(data, 1);
  for (int round = 0; round < 4; ++round) {
    const Results some = train(data, 2 + round);
    expect_same_bits(some, one);
  }
}

TEST(ForestAttentionBackward, LogSumExpFormHasTheBitsOfThePlainOne) {
  std::mt19937 rng(6);
  for (const AttentionShape& shape : kShapes) {
    Training data(random_forest(rng), shape, rng);
    for_each_isa([&](const std::string&) {
      ThreadPool pool(2);
      Grid2 plain(data.q.rows(), data.q.cols(), 1);
      forest_attention(data.q.view(), data.k.view(), data.v.view(), data.forest.segments, data.runs,
                       shape, plain.view(), pool);
      EXPECT_TRUE(same_bits(train(data, 2).out, plain));
    });
  }
}

// Every segment's path as a root of its own, with copies of its ancestors' rows, where only the
// segment's own rows are queries.
struct Unshared {
  Training data;
  std::vector<std::int64_t> source;  // row of the forest that each row copies
};

Unshared unshare(Training& shared, std::mt19937& rng) {
  Forest forest;
  std::vector<QueryRun> runs;
  std::vector<std::int64_t> source;
  for (std::size_t s = 0; s < shared.forest.segments.size(); ++s) {
    std::vector<KeyRange> path;
    const AttentionSegment& segment = shared.forest.segments[s];
    find_path(shared.forest.segments, static_cast<std::int32_t>(s), segment.num_rows - 1, path);
    forest.add(-1, path.back().end - path.front().begin, path.front().begin);
    runs.push_back({static_cast<std::int32_t>(s), segment.start - path.front().begin,
                    segment.num_rows, segment.row_offset});
    for (const KeyRange& range : path) {
      for (std::int64_t i = 0; i < range.end - range.begin; ++i) source.push_back(range.row + i);
    }
  }
  Unshared result{Training(forest, runs, shared.shape, rng), source};
  result.data.q = shared.q;
  result.data.dout = shared.dout;
  for (std::int64_t r = 0; r < forest.num_rows; ++r) {
    for (std::int64_t c = 0; c < shared.k.cols(); ++c) {
      result.data.k.at(r, c) = shared.k.at(source[static_cast<std::size_t>(r)], c);
      result.data.v.at(r, c) = shared.v.at(source[static_cast<std::size_t>(r)], c);
    }
  }
  return result;
}

std::vector<double> sum_of_copies(Grid2& copies, const std::vector<std::int64_t>& source,
                                  std::int64_t rows) {
  std::vector<double> sums(static_cast<std::size_t>(rows * copies.cols()));
  for (std::int64_t r = 0; r < copies.rows(); ++r) {
    for (std::int64_t c = 0; c < copies.cols(); ++c) {
      const std::int64_t to = source[static_cast<std::size_t>(r)] * copies.cols() + c;
      sums[static_cast<std::size_t>(to)] += double{copies.at(r, c)};
    }
  }
  return sums;
}

// A query's gradient keeps its bits; a shared key's is the sum of its copies'.
TEST(ForestAttentionBackward, SharedGradientIsTheSumOfTheCopies) {
  std::mt19937 rng(7);
  for (const AttentionShape& shape : kShapes) {
    Training shared(random_forest(rng), shape, rng);
    Unshared plain = unshare(shared, rng);
    const auto sizes = differentiate(shared, reference::Terms::kMagnitudes);
    for_each_isa([&](const std::string&) {
      Results got = train(shared, 2);
      Results copies = train(plain.data, 2);
      EXPECT_TRUE(same_bits(got.dq, copies.dq));
      // Both sum the same terms, in chains over the query rows.
      const double relative =
          2 * kEps * static_cast<double>(shared.q.rows() * shape.num_heads + 10);
      expect_close(got.dk, sum_of_copies(copies.dk, plain.source, got.dk.rows()), sizes.dk,
                   relative);
      expect_close(got.dv, sum_of_copies(copies.dv, plain.source, got.dv.rows()), sizes.dv,
                   relative);
    });
  }
}

// Only token 3 of the second segment asks, with a window of 5: it sees two rows of the first.
TEST(ForestAttentionBackward, KeysThatNobodySeesGetZero) {
  std::mt19937 rng(8);
  Forest forest;
  forest.add(-1, 10);
  forest.add(0, 8);
  forest.add(-1, 3);
  Training data(forest, {{1, 3, 1, 0}}, shape_of(2, 1, 4, 6), rng);
  for_each_isa([&](const std::string&) {
    Results got = train(data, 2);
    for (std::int64_t r = 0; r < forest.num_rows; ++r) {
      const bool seen = r >= 8 && r <= 13;
      for (std::int64_t c = 0; c < 4; ++c) {
        EXPECT_EQ(got.dk.at(r, c) != 0, seen) << r;
        EXPECT_EQ(got.dv.at(r, c) != 0, seen) << r;
      }
    }
  });
}

TEST(ForestAttentionBackward, NoQueriesGiveZeroGradientsOfKeys) {
  std::mt19937 rng(9);
  Forest forest;
  forest.add(-1, 20);
  Training data(forest, {}, shape_of(4, 2, 8), rng);
  Results got = train(data, 2);
  for (std::int64_t r = 0; r < 20; ++r) {
    for (std::int64_t c = 0; c < 16; ++c) {
      EXPECT_EQ(got.dk.at(r, c), 0.0f);
      EXPECT_EQ(got.dv.at(r, c), 0.0f);
    }
  }
  Training empty(Forest(), {}, shape_of(4, 2, 8), rng);
  EXPECT_EQ(train(empty, 2).dq.rows(), 0);
}

// A NaN reaches every gradient that it is a term of, and no other tree or head.
TEST(ForestAttentionBackward, NanReachesWhatDependsOnIt) {
  std::mt19937 rng(10);
  Forest forest;
  forest.add(-1, 90);
  forest.add(0, 30);
  forest.add(-1, 50);
  Training data(forest, shape_of(6, 2, 24), rng);
  data.k.at(40, 3) = std::numeric_limits<float>::quiet_NaN();
  for_each_isa([&](const std::string&) {
    Results got = train(data, 2);
    for (std::int64_t r = 0; r < forest.num_rows; ++r) {
      const bool in_tree = r < 120;
      EXPECT_EQ(std::isnan(got.dk.at(r, 0)), in_tree) << r;
      EXPECT_EQ(std::isnan(got.dv.at(r, 0)), in_tree) << r;
      EXPECT_FALSE(std::isnan(got.dk.at(r, 24))) << r;
      if (r < 40 || !in_tree) continue;
      for (std::int64_t c = 0; c < 72; ++c) EXPECT_TRUE(std::isnan(got.dq.at(r, c))) << r;
      EXPECT_FALSE(std::isnan(got.dq.at(r, 72))) << r;
    }
  });
}

// Scores far apart: the weights are 0 and 1, and nothing overflows.
TEST(ForestAttentionBackward, LargeScoresDoNotOverflow) {
  std::mt19937 rng(11);
  Forest forest;
  forest.add(-1, 100);
  Training data(forest, {1, 1, 1, 1.0f, 0, 0.0f}, rng);
  for (std::int64_t r = 0; r < 100; ++r) {
    data.q.at(r, 0) = 1e15f;
    data.k.at(r, 0) = r == 17 ? 1e15f : -1e15f;
    data.dout.at(r, 0) = 1;
  }
  for_each_isa([&](const std::string&) {
    Results got = train(data, 2);
    EXPECT_EQ(got.dv.at(17, 0), 83.0f);
    for (std::int64_t r = 17; r < 100; ++r) EXPECT_EQ(got.dq.at(r, 0), 0.0f) << r;
    for (std::int64_t r = 18; r < 100; ++r) EXPECT_EQ(got.dv.at(r, 0), 0.0f) << r;
  });
}

// Whatever the runs: every query once, and the turns at a tile count up in the steps' order.
TEST(AttentionBackwardPlan, CoversEveryQueryOnceAndOrdersVisits) {
  std::mt19937 rng(14);
  for (int round = 0; round < 20; ++round) {
    const Forest forest = random_forest(rng, 12, 300);
    const AttentionShape shape = shape_of(6, 2, 64, round % 2 * 50);
    const std::vector<QueryRun> runs = random_runs(forest, round % 3 == 0 ? 2 : 300, rng);
    const GradientPlan plan = plan_attention_backward(forest.segments, runs, shape);
    std::int64_t rows = 0;
    for (const QueryRun& run : runs) rows += run.num_rows;
    std::vector<int> seen(static_cast<std::size_t>(rows * 3));
    std::vector<std::int32_t> turns(plan.tiles.size());
    for (const GradientStep& step : plan.steps) {
      EXPECT_LE(step.num_rows, kMaxStepRows);
      for (const StackedRows& part : step.parts) {
        for (std::int64_t i = part.begin; i < part.begin + part.num_rows; ++i)
          ++seen[static_cast<std::size_t>(part.query_row * 3 + i)];
      }
      for (const KeyVisit& visit : step.visits)
        EXPECT_EQ(visit.turn, turns[static_cast<std::size_t>(visit.tile)]++);
    }
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

TEST(AttentionBackwardPlan, ScorePointsOfOneTreeShareAStep) {
  Forest forest;
  std::vector<QueryRun> runs;
  for (std::int32_t tree = 0; tree < 2; ++tree) {
    forest.add(-1, 100);
    for (int i = 0; i < 5; ++i) {
      forest.add(tree * 6, 40);
      runs.push_back({tree * 6 + 1 + i, 39, 1, tree * 5 + i});
    }
  }
  const GradientPlan plan = plan_attention_backward(forest.segments, runs, shape_of(9, 3, 64));
  ASSERT_EQ(plan.steps.size(), 2U);
  EXPECT_EQ(plan.steps[0].num_rows, 15);
  EXPECT_EQ(plan.steps[0].visits.size(), 2U + 5U);  // tiles of the root and of each child
  EXPECT_EQ(plan.steps[0].visits[0].rows.size(), 15);
  EXPECT_EQ(plan.steps[0].visits[2].rows.size(), 3);
}

}  // namespace
}  // namespace laurel::kernels
