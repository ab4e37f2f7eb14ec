// From a mix of preference sources to a TrainingSet: read, filter, tokenize.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/chat/encoder.h"
#include "laurel/data/prepare_row.h"
#include "laurel/data/training_set.h"

namespace laurel::data {

struct BuildOptions {
  std::vector<std::string> mix;  // "SOURCE [AMOUNT [SPLIT]]" (mix.h)
  ReaderOptions reader;
  FilterOptions filters;
  std::uint32_t seed = 42;      // of the samples; open-instruct's
  std::string cache_directory;  // of tokenized sources; empty: none
  std::int64_t vocab_size = 0;  // ids of pretokenized rows must be below; 0: the tokenizer's
};

// The same result for any number of threads, with and without cache. Nothing is truncated. The set
// may be empty: summary says why. Throws UserError naming file and line for a row that cannot be
// read, IoError for a failing file.
TrainingSet build_training_set(const BuildOptions& options, const chat::Encoder& encoder,
                               ThreadPool& pool);

struct EncoderOptions {
  std::string template_file;  // overrides the checkpoint's chat template
  std::string template_date;  // "YYYY-MM-DD" for templates that print today's date; empty: fixed
};

// The encoder of a base checkpoint for training: the tokens are the template's, and the last one is
// scored. A pad token that is the eos token too does not count as padding: the trained model gets
// one of its own.
chat::Encoder load_training_encoder(const std::filesystem::path& directory,
                                    const EncoderOptions& options = {});

}  // namespace laurel::data
