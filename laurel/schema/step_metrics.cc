#include "laurel/schema/step_metrics.h"

#include <cmath>

#include "laurel/base/error.h"

namespace laurel::schema {
namespace {

// The members in the order of a line. `visit` takes a key and a reference to a member.
template <typename Metrics, typename Visit>
void for_each_member(Metrics& metrics, Visit visit) {
  visit("step", metrics.step);
  visit("epoch", metrics.epoch);
  visit("loss", metrics.loss);
  visit("accuracy", metrics.accuracy);
  visit("chosen_reward", metrics.chosen_reward);
  visit("rejected_reward", metrics.rejected_reward);
  visit("margin", metrics.margin);
  visit("reward_mean", metrics.reward_mean);
  visit("reward_std", metrics.reward_std);
  visit("learning_rate", metrics.learning_rate);
  visit("grad_norm", metrics.grad_norm);
  visit("num_tokens", metrics.num_tokens);
  visit("computed_tokens", metrics.computed_tokens);
  visit("padded_tokens", metrics.padded_tokens);
  visit("seconds", metrics.seconds);
  visit("tokens_per_second", metrics.tokens_per_second);
}

struct Reader {
  const Json& object;
  std::string_view where;
  void operator()(const char* key, double& member) const {
    if (const auto value = get_number(object, key, where)) member = *value;
  }
  void operator()(const char* key, std::int64_t& member) const {
    if (const auto value = get_int(object, key, where)) member = *value;
  }
};

}  // namespace

Json to_json(const StepMetrics& metrics) {
  Json object = Json::object();
  for_each_member(metrics, [&](const char* key, const auto& member) { object[key] = member; });
  // JSON has no NaN and no infinity: the library writes null for both, and so do we in memory.
  for (Json& value : object) {
    if (value.is_number_float() && !std::isfinite(value.get<double>())) value = nullptr;
  }
  return object;
}

StepMetrics parse_step_metrics(const Json& object, std::string_view where) {
  if (!object.is_object() || !object.contains("step")) {
    throw UserError("{}: expected a step's metrics with the key \"step\"", where);
  }
  StepMetrics metrics;
  for_each_member(metrics, Reader{object, where});
  return metrics;
}

}  // namespace laurel::schema
