// Math: word problems with one numeric answer; wrong answers come from typical slips.
#include <fmt/format.h>

#include <algorithm>

#include "laurel/bench/mini_parts.h"

namespace laurel::bench {
namespace {

struct Problem {
  std::string category;
  std::string text;
  std::string working;  // "12 + 30", may be shown before the answer
  std::int64_t answer = 0;
};

const std::vector<std::string> kNames = {
    "Anna",  "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Irene", "Jack",
    "Karin", "Leo", "Maria", "Noah",  "Olga", "Paul",  "Rosa",  "Sam",  "Tina",  "Victor"};
const std::vector<std::string> kThings = {
    "apples", "stamps", "marbles", "books",   "coins", "pencils", "shells",  "cookies",
    "photos", "cards",  "candles", "buttons", "eggs",  "plates",  "flowers", "bottles"};

// A first number that tells the splits apart: those of the form 5k + 3 are for testing.
std::int64_t first_number(Random& random, MiniSplit split, std::int64_t low, std::int64_t high) {
  for (;;) {
    const std::int64_t number = random.between(low, high);
    if ((number % 5 == 3) == (split == MiniSplit::kTest)) return number;
  }
}

Problem addition(Random& random, MiniSplit split, const std::string& name,
                 const std::string& things) {
  const std::int64_t a = first_number(random, split, 6, 80), b = random.between(5, 60);
  const std::string pattern = random.pick<std::string>(
      {"{n} has {a} {t} and gets {b} more. How many {t} does {n} have now?",
       "There are {a} {t} on the table, and {n} adds {b}. How many {t} are on the table?",
       "{n} collected {a} {t} on Monday and {b} on Tuesday. How many {t} is that altogether?"});
  const std::string x = std::to_string(a), y = std::to_string(b);
  return {"addition", fill(pattern, {{"n", name}, {"a", x}, {"b", y}, {"t", things}}),
          x + " + " + y, a + b};
}

Problem subtraction(Random& random, MiniSplit split, const std::string& name,
                    const std::string& things) {
  const std::int64_t a = first_number(random, split, 20, 99), b = random.between(3, a - 5);
  const std::string pattern = random.pick<std::string>(
      {"{n} had {a} {t} and gave away {b}. How many {t} are left?",
       "A box holds {a} {t}. {n} takes out {b}. How many {t} remain in the box?",
       "{n} needs {a} {t} and already has {b}. How many {t} are missing?"});
  const std::string x = std::to_string(a), y = std::to_string(b);
  return {"subtraction", fill(pattern, {{"n", name}, {"a", x}, {"b", y}, {"t", things}}),
          x + " - " + y, a - b};
}

Problem multiplication(Random& random, MiniSplit split, const std::string& name,
                       const std::string& things) {
  const std::int64_t a = first_number(random, split, 3, 23), b = random.between(2, 12);
  const std::string pattern = random.pick<std::string>(
      {"{n} buys {a} boxes with {b} {t} each. How many {t} is that?",
       "Each of {a} shelves holds {b} {t}. How many {t} do all the shelves hold? {n} wants to "
       "know.",
       "{n} packs {a} bags and puts {b} {t} into each. How many {t} are needed?"});
  const std::string x = std::to_string(a), y = std::to_string(b);
  return {"multiplication", fill(pattern, {{"n", name}, {"a", x}, {"b", y}, {"t", things}}),
          x + " × " + y, a * b};
}

Problem two_steps(Random& random, MiniSplit split, const std::string& name,
                  const std::string& things) {
  const std::int64_t a = first_number(random, split, 4, 18), b = random.between(2, 9),
                     c = random.between(2, a * b - 1);
  const std::string x = std::to_string(a), y = std::to_string(b), z = std::to_string(c);
  const std::string pattern = random.pick<std::string>(
      {"{n} buys {a} packs of {b} {t} and then loses {c} {t}. How many {t} are left?",
       "{n} has {a} rows of {b} {t} and sells {c} of them. How many {t} does {n} still have?"});
  return {"two steps", fill(pattern, {{"n", name}, {"a", x}, {"b", y}, {"c", z}, {"t", things}}),
          fmt::format("{} × {} - {}", x, y, z), a * b - c};
}

Problem division(Random& random, MiniSplit split, const std::string& name,
                 const std::string& things) {
  const std::int64_t a = first_number(random, split, 3, 23), b = random.between(2, 12);
  const std::string total = std::to_string(a * b), y = std::to_string(b), x = std::to_string(a);
  const std::string pattern = random.pick<std::string>(
      {"{n} shares {c} {t} equally among {b} friends. How many {t} does each friend get?",
       "{n} puts {c} {t} into {b} equal piles. How many {t} are in each pile?"});
  // The quotient tells the splits apart, and total and divisor fix the quotient.
  return {"division", fill(pattern, {{"n", name}, {"c", total}, {"b", y}, {"t", things}}),
          total + " ÷ " + y, a};
}

std::int64_t slip(Random& random, std::int64_t answer) {
  switch (random.below(4)) {
    case 0:
      return answer + (random.chance(1, 2) ? 10 : -10);
    case 1:
      return answer + (random.chance(1, 2) ? 1 : -1);
    case 2:
      return answer + random.between(2, 9);
    default:
      return answer - random.between(2, 9);
  }
}

}  // namespace

MiniRow make_math(Random& random, MiniSplit split) {
  using Maker = Problem (*)(Random&, MiniSplit, const std::string&, const std::string&);
  static const std::vector<Maker> kMakers = {addition, subtraction, multiplication, two_steps,
                                             division};
  const std::string& name = pick_entry(random, split, kNames);
  const std::string& things = pick_entry(random, split, kThings);
  const Problem problem = random.pick(kMakers)(random, split, name, things);
  std::vector<std::int64_t> values = {problem.answer};
  while (values.size() < 4) {
    const std::int64_t wrong = slip(random, problem.answer);
    if (wrong > 0 && std::find(values.begin(), values.end(), wrong) == values.end())
      values.push_back(wrong);
  }
  MiniRow row;
  row.category = problem.category;
  row.prompt = problem.text;
  for (const std::int64_t value : values) {
    static const std::vector<std::string> kStyles = {
        "{w} = {v}, so the answer is {v} {t}.", "The answer is {v}.", "{w} = {v}.",
        "We compute {w} = {v}. The answer is {v}.", "That makes {v} {t}."};
    const std::string text =
        fill(random.pick(kStyles),
             {{"w", problem.working}, {"v", std::to_string(value)}, {"t", things}});
    (value == problem.answer ? row.chosen : row.rejected).push_back(dress(random, text));
  }
  return row;
}

}  // namespace laurel::bench
