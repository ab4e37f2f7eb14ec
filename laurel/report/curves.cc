#include "laurel/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "laurel/report/html.h"
#include "laurel/report/svg.h"

namespace laurel::report {
namespace {

constexpr double kWidth = 520, kHeight = 230, kLeft = 54, kRight = 12, kTop = 10, kBottom = 196;
constexpr std::size_t kMaxPoints = 900;

std::vector<CurvePoint> finite(const std::vector<CurvePoint>& points) {
  std::vector<CurvePoint> result;
  for (const CurvePoint& point : points) {
    if (std::isfinite(point.x) && std::isfinite(point.y)) result.push_back(point);
  }
  return result;
}

struct Bounds {
  double low_x = HUGE_VAL, high_x = -HUGE_VAL, low_y = HUGE_VAL, high_y = -HUGE_VAL;
  void add(const std::vector<CurvePoint>& points) {
    for (const CurvePoint& point : points) {
      low_x = std::min(low_x, point.x);
      high_x = std::max(high_x, point.x);
      low_y = std::min(low_y, point.y);
      high_y = std::max(high_y, point.y);
    }
  }
};

std::string polyline(const std::vector<CurvePoint>& points, const Scale& x, const Scale& y,
                     std::string_view style) {
  std::string path;
  for (const CurvePoint& point : thinned(points, kMaxPoints)) {
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : "L", x(point.x), y(point.y));
  }
  return fmt::format("<path d=\"{}\" class=\"curve {}\"/>\n", path, style);
}

std::string vertical_axis(const Scale& y) {
  std::string svg;
  for (const double tick : nice_ticks(y.from, y.to, 5)) {
    svg += line(kLeft, y(tick), kWidth - kRight, y(tick), "grid") +
           text(kLeft - 8, y(tick) + 4, "end", number(tick), "soft");
  }
  return svg;
}

}  // namespace

std::vector<CurvePoint> moving_mean(const std::vector<CurvePoint>& points) {
  const std::size_t reach = points.size() / 40;
  std::vector<double> sums(points.size() + 1, 0.0);
  for (std::size_t i = 0; i < points.size(); ++i) sums[i + 1] = sums[i] + points[i].y;
  std::vector<CurvePoint> result = points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t begin = i - std::min(reach, i);
    const std::size_t end = std::min(points.size(), i + reach + 1);
    result[i].y = (sums[end] - sums[begin]) / static_cast<double>(end - begin);
  }
  return result;
}

std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& points, std::size_t count) {
  if (points.size() <= count) return points;
  const std::size_t stretch = (2 * points.size() + count - 1) / count;
  std::vector<CurvePoint> result;
  const auto below = [](const CurvePoint& a, const CurvePoint& b) { return a.y < b.y; };
  for (std::size_t begin = 0; begin < points.size(); begin += stretch) {
    const auto first = points.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last =
        points.begin() + static_cast<std::ptrdiff_t>(std::min(points.size(), begin + stretch));
    auto [low, high] = std::minmax_element(first, last, below);
    if (high < low) std::swap(low, high);
    result.push_back(*low);
    if (high != low) result.push_back(*high);
  }
  return result;
}

std::string curve_chart(const CurveChart& chart) {
  std::vector<std::vector<CurvePoint>> series;
  const std::vector<CurvePoint> marks = finite(chart.marks);
  Bounds bounds;
  bounds.add(marks);
  for (const Series& one : chart.series) bounds.add(series.emplace_back(finite(one.points)));
  if (bounds.low_x > bounds.high_x) return "";
  if (chart.range) std::tie(bounds.low_y, bounds.high_y) = *chart.range;

  const Scale x{bounds.low_x, bounds.high_x, kLeft, kWidth - kRight};
  const Scale y{bounds.low_y, bounds.high_y, kBottom - 4, kTop};
  std::string svg = open_svg(kWidth, kHeight, chart.title + " by step");
  svg += vertical_axis(y) + horizontal_axis(x, kBottom);
  if (chart.reference && *chart.reference >= y.from && *chart.reference <= y.to) {
    svg += line(kLeft, y(*chart.reference), kWidth - kRight, y(*chart.reference), "reference");
  }
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (series[i].empty()) continue;
    if (chart.smooth) svg += polyline(series[i], x, y, "raw " + chart.series[i].style);
    svg += polyline(chart.smooth ? moving_mean(series[i]) : series[i], x, y, chart.series[i].style);
  }
  for (const CurvePoint& mark : marks) {
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"mark\"><title>step {}: "
        "{}</title></circle>\n",
        x(mark.x), y(mark.y), number(mark.x), number(mark.y));
  }
  svg += text((kLeft + kWidth) / 2, kHeight - 4, "middle", "step", "soft");
  return svg + "</svg>\n";
}

}  // namespace laurel::report
