#include "laurel/sweep/grid.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "laurel/base/error.h"

namespace laurel::sweep {
namespace {

constexpr std::size_t kMaxPoints = 10'000;
constexpr std::size_t kMaxName = 200;  // leaves room for endings within a file name's 255 bytes

std::string axis_prefix(const std::string& option) {
  if (option == "learning-rate") return "lr";
  if (option == "num-epochs") return "ep";
  if (option == "seed") return "s";
  return option + "=";
}

std::string file_name_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += std::isalnum(byte) || c == '.' || c == '-' || c == '+' || c == '=' ? c : '_';
  }
  return result;
}

std::string point_name(const Point& point) {
  std::string name = point.base + "-" + point.mix;
  for (const auto& [option, value] : point.axes.items()) {
    name += "-" + axis_prefix(option) + file_name_text(value_text(value));
  }
  return name;
}

// Every choice of values, the last axis fastest.
std::vector<Json> axis_products(const std::vector<SweepAxis>& axes) {
  std::vector<Json> products = {Json::object()};
  for (const SweepAxis& axis : axes) {
    std::vector<Json> longer;
    for (const Json& product : products) {
      for (const Json& value : axis.values) {
        longer.push_back(product);
        longer.back()[axis.option] = value;
      }
    }
    if (longer.size() > kMaxPoints) throw UserError("grid: more than {} points", kMaxPoints);
    products = std::move(longer);
  }
  return products;
}

bool is_set(const Json& options, const char* name) {
  const auto found = options.find(name);
  if (found == options.end() || found->is_null()) return false;
  return !(found->is_number() && found->get<double>() == 0);
}

std::int64_t whole_epochs(const Point& point) {
  const auto found = point.options.find("num-epochs");
  if (found == point.options.end() || !found->is_number_integer()) return 0;
  return found->get<std::int64_t>();
}

// Whether the point's steps are the first ones of any longer run.
bool can_share(const Point& point, const std::string& scheduler) {
  const auto given = point.options.find("lr-scheduler-type");
  const std::string kind = given == point.options.end() ? scheduler : value_text(*given);
  return kind == "constant" && whole_epochs(point) > 0 && !is_set(point.options, "warmup-ratio") &&
         !is_set(point.options, "max-steps");
}

// All options but the epochs: equal for points that may share a run.
std::string sharing_key(const Point& point) {
  Json options = point.options;
  options.erase("num-epochs");
  return to_line(Json{point.base, point.mix, std::move(options)});
}

// The shortest text that reads back the same: "1e-04".
std::string scientific(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr};
}

}  // namespace

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_float()) return to_line(value);
  const double number = value.get<double>();
  const bool is_small = number != 0 && std::abs(number) < 0.001;
  std::string text = is_small ? scientific(number) : fmt::format("{}", number);
  const std::size_t exponent = text.find('e');
  if (exponent != text.npos && text[exponent + 2] == '0') text.erase(exponent + 2, 1);
  return text;
}

std::vector<Point> make_points(const SweepConfig& config) {
  std::vector<Point> points;
  std::set<std::string> names;
  const std::vector<Json> products = axis_products(config.axes);
  if (config.bases.size() * config.mixes.size() * products.size() > kMaxPoints) {
    throw UserError("grid: more than {} points", kMaxPoints);
  }
  for (const SweepBase& base : config.bases) {
    for (const SweepMix& mix : config.mixes) {
      for (const Json& axes : products) {
        Point point;
        point.base = base.card.key;
        point.mix = mix.card.key;
        point.axes = axes;
        point.options = config.common;
        point.options.update(axes);
        point.name = point_name(point);
        if (!names.insert(point.name).second || point.name.size() > kMaxName) {
          throw UserError("grid: point {}: expected names that differ, of at most {} bytes",
                          point.name, kMaxName);
        }
        points.push_back(std::move(point));
      }
    }
  }
  return points;
}

std::vector<TrainingRun> plan_runs(std::vector<Point>& points, const std::string& scheduler) {
  std::map<std::string, const Point*> longest;  // by sharing key
  for (const Point& point : points) {
    if (!can_share(point, scheduler)) continue;
    const Point*& best = longest[sharing_key(point)];
    if (best == nullptr || whole_epochs(point) > whole_epochs(*best)) best = &point;
  }
  std::vector<TrainingRun> runs;
  std::map<std::string, std::size_t> index;  // by name
  for (Point& point : points) {
    const Point& maker = can_share(point, scheduler) ? *longest.at(sharing_key(point)) : point;
    const auto [place, is_new] = index.try_emplace(maker.name, runs.size());
    if (is_new) runs.push_back({maker.name, maker.options});
    point.run = maker.name;
    point.model = "runs/" + maker.name;
    if (&maker == &point) continue;
    point.model += fmt::format("/epoch-{}", whole_epochs(point));
    runs[place->second].options["export-epochs"] = true;
  }
  return runs;
}

}  // namespace laurel::sweep
