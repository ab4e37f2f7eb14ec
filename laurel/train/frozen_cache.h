// Hidden states after the frozen layers, of every row of every example, in a file: computed when an
// example is met first, read in later epochs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "laurel/base/thread_pool.h"
#include "laurel/data/training_set.h"
#include "laurel/model/trainable_model.h"
#include "laurel/train/micro_batch.h"

namespace laurel::train {

struct FrozenCacheOptions {
  std::filesystem::path directory;  // where the file lies
  // Under which name a complete file stays for other runs, e.g. a fingerprint of all that
  // determines the states; empty: the file goes with the object (and with the process, however it
  // ends).
  std::string key;
};

// Not thread-safe.
class FrozenCache {
 public:
  // Throws IoError when the file cannot be made, or when the disk has not room for it (both numbers
  // in the text). A complete file of the key is used as it is; one of another size is made anew.
  // What killed processes had begun in the directory is removed.
  FrozenCache(const data::TrainingSet& set, std::int64_t hidden_size,
              const FrozenCacheOptions& options);
  ~FrozenCache();
  FrozenCache(const FrozenCache&) = delete;
  FrozenCache& operator=(const FrozenCache&) = delete;

  // Rows of a micro-batch that was made with examples_alone, [rows, hidden_size]; valid until the
  // next call. Throws IoError, also for a full disk, and UserError for damaged rows: every
  // example's are checked when they are read.
  kernels::ConstMatrix states(const MicroBatch& batch, const model::TrainableModel& model,
                              ThreadPool& pool);

  // Of the complete file: rows, then a checksum of each example's.
  std::int64_t num_bytes() const;

 private:
  bool holds_all(const MicroBatch& batch) const;
  void open_file();
  void open_complete();
  void create_temporary();
  void read_rows(const MicroBatch& batch);
  void write_rows(const MicroBatch& batch);
  void finish_file();
  // Bytes of the rows, of all examples or before example i.
  std::int64_t rows_end() const { return row_offset(present_.size()); }
  std::int64_t row_offset(std::size_t i) const;

  FrozenCacheOptions options_;
  std::int64_t hidden_size_;
  std::vector<std::int64_t> first_row_;   // [examples + 1] of each example in the file
  std::vector<bool> present_;             // [examples]
  std::vector<std::uint64_t> checksums_;  // [examples]
  std::int64_t num_missing_;
  std::filesystem::path path_;       // of the complete file, if it has a key
  std::filesystem::path temporary_;  // under which it grows
  int descriptor_ = -1;
  std::vector<float> rows_;
};

}  // namespace laurel::train
