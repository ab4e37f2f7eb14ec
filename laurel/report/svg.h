// The pieces that charts are drawn from. Coordinates are those of the viewBox, y downwards; styles
// are classes of the page's style sheet. All text is escaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace laurel::report {

// A linear map from values to picture coordinates.
struct Scale {
  double from, to;    // values
  double begin, end;  // coordinates
  double operator()(double value) const {
    return to == from ? (begin + end) / 2 : begin + (value - from) / (to - from) * (end - begin);
  }
};

// The opening tag; the caller adds "</svg>".
std::string open_svg(double width, double height, std::string_view label);
std::string text(double x, double y, std::string_view anchor, std::string_view content,
                 std::string_view style = "");
std::string line(double x1, double y1, double x2, double y2, std::string_view style);
// Negative extents count as 0. `title` is shown when the pointer rests on it.
std::string rect(double x, double y, double width, double height, std::string_view style,
                 std::string_view title = "");

// Ticks with their numbers below the line at height `y`.
std::string horizontal_axis(const Scale& x, double y);

// Round values that cover [low, high] in about `count` steps. Precondition: finite, low ≤ high.
std::vector<double> nice_ticks(double low, double high, int count);

}  // namespace laurel::report
