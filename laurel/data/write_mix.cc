#include "laurel/data/write_mix.h"

#include <utility>

#include "laurel/base/error.h"
#include "laurel/data/mix.h"
#include "laurel/data/read_source.h"
#include "laurel/data/source_files.h"
#include "laurel/data/summary.h"
#include "laurel/formats/line_writer.h"

namespace laurel::data {
namespace {

void check_filters(const BuildOptions& options, const chat::Encoder* encoder) {
  if (options.mix.empty()) throw UserError("mix: expected at least one source, got none");
  if (encoder == nullptr &&
      (options.filters.max_length > 0 || options.filters.max_prompt_length > 0)) {
    throw UserError("a limit on tokens needs a model, expected --model DIR, got none");
  }
}

// Without a model any id may be right.
std::int64_t vocab_size_of(const BuildOptions& options, const chat::Encoder* encoder) {
  if (options.vocab_size > 0) return options.vocab_size;
  return encoder == nullptr ? INT32_MAX : encoder->tokenizer().vocab_size();
}

}  // namespace

Json write_mix(const BuildOptions& options, const chat::Encoder* encoder, ThreadPool& pool,
               const std::string& path) {
  check_filters(options, encoder);
  const ContaminationIndex benchmarks(options.filters.benchmark_files);
  const RowPreparer preparer(options.reader, options.filters, benchmarks, encoder,
                             vocab_size_of(options, encoder));
  formats::LineWriter writer(path);
  Json result = {{"examples", 0}, {"sources", Json::array()}};
  std::int64_t num_examples = 0;
  for (const std::string& text : options.mix) {
    const MixEntry entry = parse_mix_entry(text);
    const auto files = find_source_files(entry);
    std::vector<std::string> lines;
    std::vector<std::int64_t> numbers;
    const SourceReading reading =
        read_source(entry, files, preparer, {options.reader.skip_bad_rows, options.seed}, pool,
                    [&](std::int64_t number, PreparedRow&& prepared) {
                      if (prepared.row.id.is_null()) prepared.row.id = std::to_string(number + 1);
                      lines.push_back(to_line(to_json(prepared.row, entry.source)));
                      numbers.push_back(number);
                    });
    for (const std::size_t place : kept_picks(reading.picks, reading.counts.num_rows, numbers)) {
      writer.write(lines[place]);
      ++num_examples;
    }
    result["sources"].push_back(counts_json(entry, files, reading.counts));
  }
  writer.commit();
  result["examples"] = num_examples;
  return result;
}

}  // namespace laurel::data
