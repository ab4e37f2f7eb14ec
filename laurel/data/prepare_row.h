// One row through the filters and the tokenizer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "laurel/base/result.h"
#include "laurel/chat/encoder.h"
#include "laurel/data/contamination.h"
#include "laurel/data/preference_row.h"

namespace laurel::data {

struct FilterOptions {
  std::int64_t max_length = 0;         // tokens of a side; longer examples are dropped; 0: any
  std::int64_t max_prompt_length = 0;  // tokens of the prompt; 0: any
  // Benchmark files; rows whose prompt overlaps with one of theirs are dropped (contamination.h).
  std::vector<std::string> benchmark_files;
};

// Why a row is not trained on, in the order in which it is asked.
enum class Drop {
  kNone,
  kTie,
  kEmptyAnswer,   // a last message (or a text) without anything but white space
  kIdentical,     // two completions with the same tokens
  kContaminated,  // prompt overlaps with a benchmark's
  kTemplate,      // the chat template refuses the conversation, or the text is not UTF-8
  kPromptTooLong,
  kTooLong,
};
constexpr std::size_t kNumDrops = 8;
std::string_view to_string(Drop drop);  // "tie", "empty answer", …

struct PreparedRow {
  PreferenceRow row;
  Drop drop = Drop::kNone;
  std::string reason;           // of kTemplate and kContaminated: what exactly
  bool prompts_differ = false;  // the completions do not follow the same messages
  // [completions] token ids up to the scored one; empty if dropped, or without an encoder.
  std::vector<std::vector<std::int32_t>> sequences;
};

// Immutable; thread-safe.
class RowPreparer {
 public:
  // encoder: null to apply only the filters that need no tokens. The arguments outlive the
  // preparer.
  RowPreparer(const ReaderOptions& reader, const FilterOptions& filters,
              const ContaminationIndex& benchmarks, const chat::Encoder* encoder,
              std::int64_t vocab_size);

  // The keys of a row that it looks at.
  std::vector<std::string> columns() const { return preference_columns(reader_); }

  // Throws UserError beginning with `where` for a row that cannot be read.
  PreparedRow prepare(const Json& row, std::string_view where) const;

 private:
  void filter(PreparedRow& prepared, std::string_view where) const;
  void encode(PreparedRow& prepared, std::string_view where) const;
  Result<chat::Encoded> encode(const schema::Conversation& conversation,
                               const Json& variables) const;
  Result<std::int64_t> prompt_length(const PreparedRow& prepared) const;
  void check_ids(const std::vector<std::int32_t>& ids, std::string_view where) const;

  const ReaderOptions& reader_;
  const FilterOptions& filters_;
  const ContaminationIndex& benchmarks_;
  const chat::Encoder* encoder_;
  std::int64_t vocab_size_;
};

// Leading tokens that all sequences share.
std::int64_t shared_prefix(const std::vector<std::vector<std::int32_t>>& sequences);

}  // namespace laurel::data
