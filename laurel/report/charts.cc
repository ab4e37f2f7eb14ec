#include "laurel/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "laurel/base/progress.h"
#include "laurel/report/html.h"
#include "laurel/report/svg.h"

namespace laurel::report {
namespace {

constexpr double kWidth = 900;
constexpr std::size_t kMaxPoints = 3000;

std::string describe_figure(const schema::Figure& figure) {
  std::string text = fmt::format("{}: {} of 100, {} examples", figure.name, percent(figure.score),
                                 figure.num_examples);
  if (figure.interval) {
    text += fmt::format(", 95 % interval {}–{}", percent(figure.interval->low),
                        percent(figure.interval->high));
  }
  return text;
}

struct Bins {
  double low = 0;
  double width = 1;
  std::vector<double> right, wrong;  // shares
};

std::vector<double> shares(std::span<const double> values, const Bins& bins, std::size_t count) {
  std::vector<double> result(count, 0.0);
  for (const double value : values) {
    const double position = std::floor((value - bins.low) / bins.width);
    const auto bin =
        static_cast<std::size_t>(std::clamp(position, 0.0, static_cast<double>(count - 1)));
    result[bin] += 1.0 / static_cast<double>(values.size());
  }
  return result;
}

Bins make_bins(std::span<const double> right, std::span<const double> wrong) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const auto values : {right, wrong}) {
    for (const double value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  constexpr std::size_t kBins = 36;
  Bins bins;
  bins.low = low;
  bins.width = high > low ? (high - low) / static_cast<double>(kBins) : 1.0;
  bins.right = shares(right, bins, kBins);
  bins.wrong = shares(wrong, bins, kBins);
  return bins;
}

std::string step_area(const std::vector<double>& values, const Bins& bins, const Scale& x,
                      const Scale& y, std::string_view style) {
  std::string path = fmt::format("M{:.1f},{:.1f}", x(bins.low), y(0));
  for (std::size_t i = 0; i < values.size(); ++i) {
    path += fmt::format("V{:.1f}H{:.1f}", y(values[i]),
                        x(bins.low + static_cast<double>(i + 1) * bins.width));
  }
  path += fmt::format("V{:.1f}Z", y(0));
  return fmt::format("<path d=\"{}\" class=\"area {}\"/>\n", path, style);
}

}  // namespace

std::string bar_chart(std::span<const schema::Figure> figures) {
  constexpr double kRow = 32, kLeft = 190, kRight = 130, kTop = 6;
  const double bottom = kTop + kRow * static_cast<double>(figures.size());
  const Scale x{0, 1, kLeft, kWidth - kRight};
  std::string svg = open_svg(kWidth, bottom + 24, "scores with 95 % intervals");
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg += text(x(tick), bottom + 18, "middle", fmt::format("{:.0f}", 100 * tick), "soft");
  }
  double y = kTop;
  for (const schema::Figure& figure : figures) {
    const double shown =
        std::clamp(figure.score, 0.0, 1.0);  // Ties may leave [0, 1] by a hundredth
    const double middle = y + kRow / 2;
    svg += text(kLeft - 12, middle + 4, "end", figure.name);
    svg += rect(kLeft, y + 7, x(1) - kLeft, kRow - 14, "track");
    svg += rect(kLeft, y + 7, x(shown) - kLeft, kRow - 14, "bar", describe_figure(figure));
    std::string label = percent(figure.score);
    if (figure.interval) {
      const double low = x(std::clamp(figure.interval->low, 0.0, 1.0));
      const double high = x(std::clamp(figure.interval->high, 0.0, 1.0));
      svg += fmt::format(
          "<path d=\"M{0:.1f},{2:.1f}H{1:.1f}M{0:.1f},{3:.1f}V{4:.1f}M{1:.1f},{3:.1f}V{4:.1f}\" "
          "class=\"whisker\"/>\n",
          low, high, middle, middle - 5, middle + 5);
      label +=
          fmt::format("  ({}–{})", percent(figure.interval->low), percent(figure.interval->high));
    }
    svg += text(kWidth - kRight + 12, middle + 4, "start", label);
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string comparison_chart(std::span<const Comparison> rows) {
  constexpr double kRow = 40, kLeft = 190, kRight = 150, kTop = 6;
  const double bottom = kTop + kRow * static_cast<double>(rows.size());
  const Scale x{0, 1, kLeft, kWidth - kRight};
  std::string svg = open_svg(kWidth, bottom + 24, "scores before and after training");
  for (const double tick : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    svg += text(x(tick), bottom + 18, "middle", fmt::format("{:.0f}", 100 * tick), "soft");
  }
  double y = kTop;
  for (const Comparison& row : rows) {
    const auto bar = [&](double top, double score, std::string_view style, std::string_view when) {
      const double end = x(std::clamp(score, 0.0, 1.0));
      return rect(kLeft, top, x(1) - kLeft, 11, "track") +
             rect(kLeft, top, end - kLeft, 11, style,
                  fmt::format("{}, {}: {}", row.name, when, percent(score)));
    };
    svg += text(kLeft - 12, y + kRow / 2 + 4, "end", row.name);
    svg += bar(y + 7, row.before, "before", "before") + bar(y + 20, row.after, "bar", "after");
    svg += text(kWidth - kRight + 12, y + kRow / 2 + 4, "start",
                fmt::format("{} → {}  ({:+.1f})", percent(row.before), percent(row.after),
                            100 * (row.after - row.before)));
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string count_chart(std::span<const LabelledCount> bins, const std::string& x_title) {
  if (bins.empty()) return "";
  constexpr double kHeight = 210, kSide = 14, kBottom = 166, kSpan = 520;
  double top = 0;
  for (const LabelledCount& bin : bins) top = std::max(top, bin.count);
  const Scale y{0, top, kBottom, 22};
  const double width = (kSpan - 2 * kSide) / static_cast<double>(bins.size());
  std::string svg = open_svg(kSpan, kHeight, x_title);
  double x = kSide;
  for (const LabelledCount& bin : bins) {
    const std::string count = format_count(static_cast<std::int64_t>(bin.count));
    const double height = top > 0 ? kBottom - y(bin.count) : 0;
    svg += rect(x + 2, kBottom - height, width - 4, height, "bar", bin.label + ": " + count);
    svg += text(x + width / 2, kBottom - height - 5, "middle", count, "soft");
    svg += text(x + width / 2, kBottom + 18, "middle", bin.label, "soft");
    x += width;
  }
  svg += text(kSpan / 2, kHeight - 6, "middle", x_title, "soft");
  return svg + "</svg>\n";
}

std::string histogram(std::span<const double> right, std::span<const double> wrong) {
  if (right.empty() || wrong.empty()) return "";
  constexpr double kHeight = 250, kSide = 14, kBottom = 216, kSpan = 520;
  const Bins bins = make_bins(right, wrong);
  const double last = bins.low + bins.width * static_cast<double>(bins.right.size());
  const double top = std::max(*std::max_element(bins.right.begin(), bins.right.end()),
                              *std::max_element(bins.wrong.begin(), bins.wrong.end()));
  const Scale x{bins.low, last, kSide, kSpan - kSide};
  const Scale y{0, top, kBottom, 10};
  std::string svg = open_svg(kSpan, kHeight, "distribution of rewards");
  svg += step_area(bins.wrong, bins, x, y, "wrong") + step_area(bins.right, bins, x, y, "right");
  svg += line(kSide, kBottom, kSpan - kSide, kBottom, "grid") + horizontal_axis(x, kBottom);
  return svg + "</svg>\n";
}

std::string scatter(std::span<const Point> points, const std::string& x_title,
                    const std::string& y_title) {
  if (points.empty()) return "";
  constexpr double kHeight = 250, kLeft = 48, kSpan = 520, kBottom = 206;
  double low = HUGE_VAL, high = -HUGE_VAL, first = HUGE_VAL, last = -HUGE_VAL;
  const auto log_x = [](const Point& point) { return std::log10(std::max(1.0, point.x)); };
  for (const Point& point : points) {
    low = std::min(low, point.y);
    high = std::max(high, point.y);
    first = std::min(first, log_x(point));
    last = std::max(last, log_x(point));
  }
  const Scale x{first, last, kLeft + 6, kSpan - 10};
  const Scale y{low, high, kBottom - 6, 12};
  std::string svg = open_svg(kSpan, kHeight, y_title + " against " + x_title);
  for (const double tick : nice_ticks(low, high, 5)) {
    svg += line(kLeft, y(tick), kSpan - 8, y(tick), "grid") +
           text(kLeft - 6, y(tick) + 4, "end", number(tick), "soft");
  }
  for (int power = 0; power <= 9; ++power) {
    for (const int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10.0, power);
      if (std::log10(value) < first || std::log10(value) > last) continue;
      svg += text(x(std::log10(value)), kBottom + 16, "middle", number(value), "soft");
    }
  }
  svg += text((kLeft + kSpan) / 2, kHeight - 6, "middle", x_title, "soft");
  const std::size_t step = points.size() / kMaxPoints + 1;
  for (std::size_t i = 0; i < points.size(); i += step) {
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" class=\"dot {}\"/>\n",
                       x(log_x(points[i])), y(points[i].y), points[i].right ? "right" : "wrong");
  }
  return svg + "</svg>\n";
}

std::string matrix_chart(const schema::StyleMatrix& matrix) {
  constexpr double kCellWidth = 120, kCellHeight = 56, kLeft = 140, kTop = 44;
  const auto count = static_cast<double>(matrix.styles.size());
  std::string svg =
      open_svg(kWidth, kTop + count * kCellHeight + 8, "chosen style against rejected style");
  svg += text(kLeft + count * kCellWidth / 2, 14, "middle", "rejected answer", "soft");
  for (std::size_t i = 0; i < matrix.styles.size(); ++i) {
    const double offset = static_cast<double>(i);
    svg += text(kLeft + (offset + 0.5) * kCellWidth, 34, "middle", matrix.styles[i]);
    svg += text(kLeft - 10, kTop + (offset + 0.5) * kCellHeight + 4, "end",
                "chosen " + matrix.styles[i]);
    for (std::size_t j = 0; j < matrix.styles.size(); ++j) {
      const double x = kLeft + static_cast<double>(j) * kCellWidth;
      const double y = kTop + offset * kCellHeight;
      const double share = matrix.share[i][j];
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"4\" "
          "class=\"cell\" "
          "fill-opacity=\"{:.2f}\"/>\n",
          x + 2, y + 2, kCellWidth - 4, kCellHeight - 4, 0.06 + 0.6 * share);
      svg += text(x + kCellWidth / 2, y + kCellHeight / 2 + 4, "middle", percent(share));
    }
  }
  return svg + "</svg>\n";
}

}  // namespace laurel::report
