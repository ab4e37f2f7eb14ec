#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "laurel/kernels/attention_plan.h"
#include "laurel/kernels/attention_test_data.h"
#include "laurel/kernels/ops.h"
#include "laurel/kernels/reference.h"
#include "laurel/kernels/test_data.h"

namespace laurel::kernels {
namespace {

using namespace testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Grid2 attend(Operands& data, const Forest& forest, const std::vector<QueryRun>& runs,
             const AttentionShape& shape, int threads) {
  ThreadPool pool(threads);
  Grid2 out(data.q.rows(), data.q.cols(), 1);
  forest_attention(data.q.view(), data.k.view(), data.v.view(), forest.segments, runs, shape,
                   out.view(), pool);
  return out;
}

float largest(const Grid2& grid) {
  float result = 0;
  for (const float value : grid.values()) {
    if (value != kPadding) result = std::max(result, std::abs(value));
  }
  return result;
}

// Largest error of a weight, relative to the sum of weights, times the largest value. A score of d
// products has an error of (d + 2) eps times the sum of their sizes, at most d · |q| |k| here; e^s
// turns it into a relative one, for the weight and the sum alike; then come the exponential, the
// sum over keys, and the rescalings, one per block.
double attention_bound(const Operands& data, const Forest& forest, const AttentionShape& shape) {
  std::int64_t keys = 0;
  for (const AttentionSegment& s : forest.segments) keys = std::max(keys, s.start + s.num_rows);
  const double dim = static_cast<double>(shape.head_dim);
  double size = 0;  // largest sum of absolute products of any query and key
  Grid2 q = data.q.absolute(), k = data.k.absolute();
  for (std::int64_t i = 0; i < q.rows(); ++i) {
    double q_norm = 0;
    for (std::int64_t c = 0; c < q.cols(); ++c) q_norm = std::max(q_norm, double{q.at(i, c)});
    size = std::max(size, q_norm);
  }
  double k_sum = 0;
  for (std::int64_t i = 0; i < k.rows(); ++i) {
    for (std::int64_t h = 0; h < shape.num_kv_heads; ++h) {
      double sum = 0;
      for (std::int64_t c = 0; c < shape.head_dim; ++c) sum += k.at(i, h * shape.head_dim + c);
      k_sum = std::max(k_sum, sum);
    }
  }
  const double score_error =
      (dim + 3) * size * k_sum * shape.scale + 8 * static_cast<double>(shape.soft_cap);
  const double steps = static_cast<double>(keys) + 10;
  return (2 * score_error + 2 * steps) * kEps * largest(data.v);
}

TEST(ForestAttention, AgreesWithReference) {
  std::mt19937 rng(1);
  for (const AttentionShape& shape : kShapes) {
    for (int round = 0; round < 3; ++round) {
      const Forest forest = random_forest(rng);
      SCOPED_TRACE(::testing::Message()
                   << shape.num_heads << "/" << shape.num_kv_heads << " heads of " << shape.head_dim
                   << ", window " << shape.window << ", round " << round);
      Operands data(forest.num_rows, forest.num_rows, shape, rng);
      const std::vector<double> want =
          reference::forest_attention(data.q.view(), data.k.view(), data.v.view(), forest.segments,
                                      forest.whole_runs(), shape, forest.num_rows);
      const std::vector<double> bound(want.size(), attention_bound(data, forest, shape));
      for_each_isa([&](const std::string&) {
        Grid2 out = attend(data, forest, forest.whole_runs(), shape, 2);
        expect_close(out, want, bound);
      });
    }
  }
}

// The bound above is a worst case; typical errors must stay near rounding itself.
TEST(ForestAttention, TypicalErrorIsOfTheOrderOfRounding) {
  std::mt19937 rng(2);
  Forest forest;
  forest.add(-1, 300);
  const AttentionShape shape = shape_of(4, 2, 64);
  Operands data(300, 300, shape, rng);
  const std::vector<double> want =
      reference::forest_attention(data.q.view(), data.k.view(), data.v.view(), forest.segments,
                                  forest.whole_runs(), shape, 300);
  for_each_isa([&](const std::string&) {
    Grid2 out = attend(data, forest, forest.whole_runs(), shape, 1);
    double squares = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const auto n = static_cast<std::int64_t>(i);
      squares += std::pow(double{out.at(n / 256, n % 256)} - want[i], 2);
    }
    EXPECT_LT(std::sqrt(squares / static_cast<double>(want.size())), 20 * kEps);
  });
}

TEST(ForestAttention, BitsAgreeBetweenInstructionSetsAndThreads) {
  std::mt19937 rng(3);
  for (const AttentionShape& shape : kShapes) {
    const Forest forest = random_forest(rng);
    Operands data(forest.num_rows, forest.num_rows, shape, rng);
    expect_same_bits_between_isas(
        [&] { return attend(data, forest, forest.whole_runs(), shape, 1); });
    for_each_isa([&](const std::string&) {
      const Grid2 one = attend(data, forest, forest.whole_runs(), shape, 1);
      for (const int threads : {2, 3, 5})
        EXPECT_TRUE(same_bits(attend(data, forest, forest.whole_runs(), shape, threads), one));
    });
  }
}

// The path of every segment as a root of its own, with copies of its ancestors' rows; the rows of
// the result that belong to the segment itself must have the same bits.
TEST(ForestAttention, SharingAPrefixChangesNoBit) {
  std::mt19937 rng(4);
  for (int round = 0; round < 12; ++round) {
    const AttentionShape& shape = kShapes[static_cast<std::size_t>(round) % std::size(kShapes)];
    const Forest forest = random_forest(rng);
    Operands data(forest.num_rows, forest.num_rows, shape, rng);
    Forest unshared;
    std::vector<std::int64_t> source;  // row of the forest that each row copies
    std::vector<std::int64_t> own_begin;
    for (std::size_t s = 0; s < forest.segments.size(); ++s) {
      std::vector<KeyRange> path;
      const AttentionSegment& segment = forest.segments[s];
      find_path(forest.segments, static_cast<std::int32_t>(s), segment.num_rows - 1, path);
      unshared.add(-1, path.back().end - path.front().begin, path.front().begin);
      for (const KeyRange& range : path) {
        for (std::int64_t i = 0; i < range.end - range.begin; ++i) source.push_back(range.row + i);
      }
      own_begin.push_back(static_cast<std::int64_t>(source.size()) - segment.num_rows);
    }
    Operands copies(unshared.num_rows, unshared.num_rows, shape, rng);
    for (std::int64_t r = 0; r < unshared.num_rows; ++r) {
      const std::int64_t from = source[static_cast<std::size_t>(r)];
      for (std::int64_t c = 0; c < data.q.cols(); ++c) copies.q.at(r, c) = data.q.at(from, c);
      for (std::int64_t c = 0; c < data.k.cols(); ++c) copies.k.at(r, c) = data.k.at(from, c);
      for (std::int64_t c = 0; c < data.v.cols(); ++c) copies.v.at(r, c) = data.v.at(from, c);
    }
    for_each_isa([&](const std::string&) {
      Grid2 shared = attend(data, forest, forest.whole_runs(), shape, 2);
      Grid2 plain = attend(copies, unshared, unshared.whole_runs(), shape, 2);
      std::int64_t different = 0;
      for (std::int64_t r = 0; r < unshared.num_rows; ++r) {
        const std::int64_t from = source[static_cast<std::size_t>(r)];
        different += std::memcmp(&shared.at(from, 0), &plain.at(r, 0),
                                 static_cast<std::size_t>(shared.cols()) * sizeof(float)) != 0;
      }
      EXPECT_EQ(different, 0) << "rows, round " << round;
    });
  }
}

// The same path as one segment or cut anywhere into a chain of them.
TEST(ForestAttention, CuttingAPathIntoSegmentsChangesNoBit) {
  std::mt19937 rng(5);
  for (int round = 0; round < 10; ++round) {
    const AttentionShape& shape = kShapes[static_cast<std::size_t>(round)];
    const std::int64_t rows = std::uniform_int_distribution<std::int64_t>(1, 300)(rng);
    const std::int64_t start = round % 2 * 37;
    Forest whole, cut;
    whole.add(-1, rows, start);
    for (std::int64_t done = 0; done < rows;) {
      const std::int64_t part =
          std::min(rows - done, std::uniform_int_distribution<std::int64_t>(1, 90)(rng));
      cut.add(static_cast<std::int32_t>(cut.segments.size()) - 1, part, start);
      done += part;
    }
    Operands data(rows, rows, shape, rng);
    for_each_isa([&](const std::string&) {
      EXPECT_TRUE(same_bits(attend(data, whole, whole.whole_runs(), shape, 1),
                            attend(data, cut, cut.whole_runs(), shape, 3)))
          << round;
    });
  }
}

// Queries in runs of any cut, down to single rows, give the rows of the full result.
TEST(ForestAttention, RunsOfAnyLengthGiveTheSameRows) {
  std::mt19937 rng(6);
  for (int round = 0; round < 12; ++round) {
    const AttentionShape& shape = kShapes[static_cast<std::size_t>(round) % std::size(kShapes)];
    const Forest forest = random_forest(rng);
    Operands data(forest.num_rows, forest.num_rows, shape, rng);
    const int longest = round % 3 == 0 ? 1 : 40;
    std::vector<QueryRun> runs;
    std::vector<std::int64_t> source;
    for (std::size_t s = 0; s < forest.segments.size(); ++s) {
      for (std::int64_t first = 0; first < forest.segments[s].num_rows;) {
        const std::int64_t count =
            std::min(forest.segments[s].num_rows - first,
                     std::uniform_int_distribution<std::int64_t>(1, longest)(rng));
        if (rng() % 3 != 0) {
          runs.push_back({static_cast<std::int32_t>(s), first, count,
                          static_cast<std::int64_t>(source.size())});
          for (std::int64_t i = 0; i < count; ++i)
            source.push_back(forest.segments[s].row_offset + first + i);
        }
        first += count;
      }
    }
    Operands part = data;
    part.q = Grid2(static_cast<std::int64_t>(source.size()), data.q.cols());
    for (std::int64_t r = 0; r < part.q.rows(); ++r) {
      for (std::int64_t c = 0; c < data.q.cols(); ++c)
        part.q.at(r, c) = data.q.at(source[static_cast<std::size_t>(r)], c);
    }
    for_each_isa([&](const std::string&) {
      Grid2 full = attend(data, forest, forest.whole_runs(), shape, 1);
      Grid2 some = attend(part, forest, runs, shape, 2);
      for (std::int64_t r = 0; r < part.q.rows(); ++r) {
        ASSERT_EQ(0, std::memcmp(&full.at(source[static_cast<std::size_t>(r)], 0), &some.at(r, 0),
                                 static_cast<std::size_t>(full.cols()) * sizeof(float)))
            << "row " << r << ", round " << round;
      }
    });
  }
}

// A later token with infinite or NaN keys and values does not reach an earlier one, also within a
// tile; and whoever sees it, shows it.
TEST(ForestAttention, NonFiniteKeysReachOnlyThoseWhoSeeThem) {
  std::mt19937 rng(7);
  const AttentionShape shape = shape_of(6, 2, 24);
  Forest forest;
  forest.add(-1, 90);
  forest.add(0, 30);
  forest.add(0, 30);
  Operands clean(forest.num_rows, forest.num_rows, shape, rng);
  // Equal, so that an infinite pair of key elements of different signs gives NaN and not a score of
  // -infinity.
  for (std::int64_t r = 0; r < forest.num_rows; ++r) clean.q.at(r, 3) = clean.q.at(r, 4) = 1;
  for (const bool in_key : {false, true}) {
    for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
      Operands data = clean;
      (in_key ? data.k : data.v).at(95, 3) = bad;  // token 5 of segment 1, key/value head 0
      if (in_key) data.k.at(95, 4) = -bad;
      for_each_isa([&](const std::string&) {
        Grid2 want = attend(clean, forest, forest.whole_runs(), shape, 1);
        Grid2 got = attend(data, forest, forest.whole_runs(), shape, 1);
        const std::int64_t first_head = 3 * shape.head_dim;
        for (std::int64_t r = 0; r < forest.num_rows; ++r) {
          const bool sees = r >= 95 && r < 120;
          if (sees) {
            EXPECT_FALSE(std::isfinite(got.at(r, 3))) << r;
          } else {
            EXPECT_EQ(0, std::memcmp(&got.at(r, 0), &want.at(r, 0),
                                     4 * static_cast<std::size_t>(first_head)))
                << r;
          }
          // Heads of the other key/value head
          EXPECT_EQ(0, std::memcmp(&got.at(r, first_head), &want.at(r, first_head),
                                   4 * static_cast<std::size_t>(first_head)))
              << r;
        }
      });
    }
  }
}

// Scores far apart, and far below the smallest exponent: the softmax of the largest remains.
TEST(ForestAttention, LargeScoresDoNotOverflow) {
  const AttentionShape shape{1, 1, 1, 1.0f, 0, 0.0f};
  Forest forest;
  forest.add(-1, 200);
  std::mt19937 rng(8);
  Operands data(200, 200, shape, rng);
  for (std::int64_t r = 0; r < 200; ++r) {
    data.q.at(r, 0) = 1e18f;
    data.k.at(r, 0) = r == 17 ? 1e18f : r < 100 ? -1e18f : 0.5e18f;
    data.v.at(r, 0) = static_cast<float>(r);
  }
  for_each_isa([&](const std::string&) {
    Grid2 out = attend(data, forest, forest.whole_runs(), shape, 2);
    for (std::int64_t r = 17; r < 200; ++r) EXPECT_EQ(out.at(r, 0), 17.0f) << r;
    EXPECT_FLOAT_EQ(out.at(9, 0), 4.5f);
  });
}

TEST(AttentionPlan, CoversEveryQueryOnceAndBalances) {
  Forest forest;
  forest.add(-1, 700);
  for (int i = 0; i < 4; ++i) forest.add(0, 300);
  const AttentionShape shape = shape_of(9, 3, 64);
  for (const std::int64_t threads : {1, 2, 3, 7}) {
    const auto shares = plan_attention(forest.segments, forest.whole_runs(), shape, threads);
    std::vector<int> seen(static_cast<std::size_t>(forest.num_rows * 3));
    std::vector<double> loads;
    for (const auto& share : shares) {
      loads.push_back(0);
      for (const AttentionPiece& piece : share) {
        loads.back() += static_cast<double>(piece.cost);
        for (std::int64_t i = 0; i < piece.num_tokens; ++i)
          ++seen[static_cast<std::size_t>((piece.query_row + i) * 3 + piece.kv_head)];
      }
    }
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
    EXPECT_LT(
        *std::max_element(loads.begin(), loads.end()),
        1.1 * std::accumulate(loads.begin(), loads.end(), 0.0) / static_cast<double>(threads));
  }
}

}  // namespace
}  // namespace laurel::kernels
