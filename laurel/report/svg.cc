#include "laurel/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "laurel/report/html.h"

namespace laurel::report {

std::string open_svg(double width, double height, std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", width,
                     height, escape_html(label));
}

std::string text(double x, double y, std::string_view anchor, std::string_view content,
                 std::string_view style) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, style, escape_html(content));
}

std::string line(double x1, double y1, double x2, double y2, std::string_view style) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2,
      y2, style);
}

std::string rect(double x, double y, double width, double height, std::string_view style,
                 std::string_view title) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\" "
      "class=\"{}\"><title>{}</title></rect>\n",
      x, y, std::max(0.0, width), std::max(0.0, height), style, escape_html(title));
}

std::string horizontal_axis(const Scale& x, double y) {
  std::string svg;
  for (const double tick : nice_ticks(x.from, x.to, 7)) {
    if (tick < x.from || tick > x.to) continue;
    svg += line(x(tick), y, x(tick), y + 4, "grid") +
           text(x(tick), y + 18, "middle", number(tick), "soft");
  }
  return svg;
}

std::vector<double> nice_ticks(double low, double high, int count) {
  if (high <= low) return {low};
  const double raw = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (raw <= factor * power) step = factor * power;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9);
       k * step <= high + step * 1e-9 && ticks.size() < 100; ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

}  // namespace laurel::report
