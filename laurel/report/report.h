// An evaluation for people: a self-contained HTML page, and a table for the terminal.
#pragma once

#include <string>

#include "laurel/schema/benchmark_result.h"

namespace laurel::report {

// The whole page: headline, figures with intervals, reward distributions, length against reward,
// worst mistakes, run and rule. Works from the result alone; all text from outside is escaped.
std::string html_report(const schema::BenchmarkResult& result);

// Figures with counts and intervals, then run facts; ends with a newline.
std::string text_report(const schema::BenchmarkResult& result);

}  // namespace laurel::report
