// What the processes of a sweep leave behind.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "laurel/schema/run_record.h"
#include "laurel/sweep/records.h"

namespace laurel::sweep {

// run.json of a run's directory; absent when there is none.
std::optional<schema::RunRecord> read_run_record(const std::filesystem::path& run);

// Whether the run is whole: it says so, and its model is there.
bool is_finished_run(const std::filesystem::path& run);

// The figures of an evaluation's directory (`laurel eval --output`); absent when it is not there.
// `overall` is absent when the data lack a part; the parts are those that make it.
std::optional<Figures> read_figures(const std::filesystem::path& evaluation);

// Whether the directory holds LoRA matrices, not a whole model.
bool is_adapter(const std::filesystem::path& model);

// The last message of a log, for people: its last error, else its last line.
std::string last_message(const std::filesystem::path& log);

}  // namespace laurel::sweep
