#include "laurel/schema/run_record.h"

#include "laurel/base/error.h"
#include "laurel/base/json_reader.h"

namespace laurel::schema {
namespace {

constexpr RunStatus kStatuses[] = {RunStatus::kRunning, RunStatus::kStopped, RunStatus::kFinished,
                                   RunStatus::kFailed};

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json to_json(const RunBase& base) {
  return {{"name", base.name},
          {"revision", text_or_null(base.revision)},
          {"hash", base.hash},
          {"architecture", base.architecture},
          {"num_parameters", base.num_parameters},
          {"license", text_or_null(base.license)}};
}

Json to_json(const RunSource& source) {
  return {
      {"name", source.name}, {"rows", source.num_rows}, {"license", text_or_null(source.license)}};
}

Json to_json(const RunEvaluation& evaluation) {
  Json json = {{"step", evaluation.step},
               {"benchmark", evaluation.benchmark},
               {"overall", evaluation.overall},
               {"subsets", named_scores_to_json(evaluation.subsets)}};
  if (evaluation.loss) json["loss"] = *evaluation.loss;
  return json;
}

RunBase read_base(const JsonReader& reader) {
  RunBase base;
  reader.read("name", base.name);
  reader.read("revision", base.revision);
  reader.read("hash", base.hash);
  reader.read("architecture", base.architecture);
  reader.read("num_parameters", base.num_parameters);
  reader.read("license", base.license);
  return base;
}

RunSource read_source(const JsonReader& reader) {
  RunSource source;
  reader.read("name", source.name);
  reader.read("rows", source.num_rows);
  reader.read("license", source.license);
  return source;
}

RunMachine read_machine(const JsonReader& reader) {
  RunMachine machine;
  reader.read("isa", machine.isa);
  reader.read("num_threads", machine.num_threads);
  reader.read("peak_memory_bytes", machine.peak_memory_bytes);
  return machine;
}

RunEvaluation read_evaluation(const JsonReader& reader) {
  RunEvaluation evaluation;
  reader.read("step", evaluation.step);
  reader.read("benchmark", evaluation.benchmark);
  reader.read("overall", evaluation.overall);
  evaluation.loss = get_number(reader.object(), "loss", reader.where());
  evaluation.subsets = read_named_scores(reader, "subsets");
  return evaluation;
}

RunStatus read_status(const JsonReader& reader) {
  std::string text(to_string(RunStatus::kRunning));
  reader.read("status", text);
  for (const RunStatus status : kStatuses) {
    if (text == to_string(status)) return status;
  }
  throw UserError("{}: key \"status\": expected running, stopped, finished or failed, got \"{}\"",
                  reader.where(), text);
}

}  // namespace

std::string_view to_string(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kStopped:
      return "stopped";
    case RunStatus::kFinished:
      return "finished";
    case RunStatus::kFailed:
      return "failed";
  }
  return "";
}

Json to_json(const RunRecord& record) {
  Json json;
  json["laurel"] = record.laurel_version;
  json["status"] = to_string(record.status);
  json["error"] = text_or_null(record.error);
  json["options"] = record.options;
  json["base"] = to_json(record.base);
  json["data"] = Json::array();
  for (const RunSource& source : record.data) json["data"].push_back(to_json(source));
  json["steps"] = record.steps;
  json["epochs"] = record.epochs;
  json["seconds"] = record.seconds;
  json["tokens"] = record.tokens;
  json["machine"] = {{"isa", record.machine.isa},
                     {"num_threads", record.machine.num_threads},
                     {"peak_memory_bytes", record.machine.peak_memory_bytes}};
  json["final"] = record.final;
  json["evaluations"] = Json::array();
  for (const RunEvaluation& evaluation : record.evaluations) {
    json["evaluations"].push_back(to_json(evaluation));
  }
  return json;
}

RunRecord run_record_from_json(const Json& json, std::string_view where) {
  const JsonReader reader(json, std::string(where));
  RunRecord record;
  reader.read("laurel", record.laurel_version);
  record.status = read_status(reader);
  reader.read("error", record.error);
  if (reader.has("options")) record.options = reader.child("options").object();
  if (reader.has("base")) record.base = read_base(reader.child("base"));
  for (const JsonReader& source : reader.children("data"))
    record.data.push_back(read_source(source));
  reader.read("steps", record.steps);
  reader.read("epochs", record.epochs);
  reader.read("seconds", record.seconds);
  reader.read("tokens", record.tokens);
  if (reader.has("machine")) record.machine = read_machine(reader.child("machine"));
  if (reader.has("final")) record.final = reader.child("final").object();
  for (const JsonReader& evaluation : reader.children("evaluations")) {
    record.evaluations.push_back(read_evaluation(evaluation));
  }
  return record;
}

}  // namespace laurel::schema
