// TensorBoard event files: TFRecord frames around protobuf messages
// (tensorflow/core/util/event.proto and summary.proto), scalars only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "laurel/train/append_file.h"

namespace laurel::train {

struct Scalar {
  std::string_view tag;
  double value = 0;  // stored as float32
};

// CRC-32C (Castagnoli), and the rotated form that TFRecord stores.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

// One record: length, its checksum, the bytes, their checksum.
std::string frame_record(std::string_view bytes);

// An Event message with these scalars, and one that starts a session at `step`: readers then drop
// what earlier files of the folder hold from that step on.
std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars);
std::string session_start_event(double wall_time, std::int64_t step);
std::string version_event(double wall_time);

// A new file events.out.tfevents.SECONDS.HOST.PID in the directory. Every write goes straight to
// the file, so that a reader sees it at once and a killed process loses nothing. Throws IoError.
class EventFile {
 public:
  // first_step: of this process; above 1 in a resumed run.
  EventFile(const std::filesystem::path& directory, std::int64_t first_step);

  void write(std::int64_t step, std::span<const Scalar> scalars);

 private:
  AppendFile file_;
};

}  // namespace laurel::train
