// The options that say what to train on, declared once.
#pragma once

#include <CLI/App.hpp>

#include "laurel/data/build.h"

namespace laurel::cli {

// Declares --data, --prompt-key, --chosen-key, --rejected-key, --strings-are-text, --skip-bad-rows,
// --decontaminate, --sample-seed, --max-length and --max-prompt-length. They fill `options`, which
// must outlive the app.
void add_data_options(CLI::App& command, data::BuildOptions& options);

}  // namespace laurel::cli
