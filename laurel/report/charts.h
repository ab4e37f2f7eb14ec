// Charts as inline SVG. Colors come from the page's style sheet, so that they follow light and
// dark. All text is escaped.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "laurel/schema/benchmark_result.h"

namespace laurel::report {

// Horizontal bars from 0 to 100 with confidence intervals as whiskers.
std::string bar_chart(std::span<const schema::Figure> figures);

struct Comparison {
  std::string name;
  double before = 0;
  double after = 0;
};
// Two horizontal bars a row from 0 to 100, with the difference.
std::string comparison_chart(std::span<const Comparison> rows);

// A bar for each bin, labelled below.
struct LabelledCount {
  std::string label;
  double count = 0;
};
std::string count_chart(std::span<const LabelledCount> bins, const std::string& x_title);

// Two distributions over the same bins, each as shares of its own total.
std::string histogram(std::span<const double> right, std::span<const double> wrong);

struct Point {
  double x = 0;
  double y = 0;
  bool right = false;
};
// x on a logarithmic scale; values below 1 count as 1. Of many points an even selection is drawn.
std::string scatter(std::span<const Point> points, const std::string& x_title,
                    const std::string& y_title);

// A square of shares, darker for higher ones.
std::string matrix_chart(const schema::StyleMatrix& matrix);

}  // namespace laurel::report
