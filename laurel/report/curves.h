// Curves over training steps as inline SVG: raw values thin, their moving mean thick.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace laurel::report {

struct CurvePoint {
  double x = 0;
  double y = 0;
};

struct Series {
  std::string style;               // "bar", "right" or "wrong"
  std::vector<CurvePoint> points;  // by x; those whose y is no finite number are left out
};

struct CurveChart {
  std::string title;
  std::vector<Series> series;
  std::vector<CurvePoint> marks;                   // single measurements, drawn as circles
  bool smooth = true;                              // false: the values are drawn as they are
  std::optional<double> reference;                 // a dashed line, if it lies in the range
  std::optional<std::pair<double, double>> range;  // of y; without, that of the values
};

// The picture, or "" when there is nothing to draw.
std::string curve_chart(const CurveChart& chart);

// The mean of the points within a fortieth of their number to either side, fewer at the ends.
std::vector<CurvePoint> moving_mean(const std::vector<CurvePoint>& points);

// At most about `count` points: of each stretch the lowest and the highest, so that no spike is
// lost.
std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& points, std::size_t count);

}  // namespace laurel::report
