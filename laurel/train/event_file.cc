#include "laurel/train/event_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>

namespace laurel::train {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  std::array<std::uint32_t, 256> table = {};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}

template <typename Word>
void put_little_endian(Word word, std::string& out) {
  for (std::size_t i = 0; i < sizeof word; ++i) out += static_cast<char>(word >> (8 * i) & 0xff);
}

// Protobuf's wire format.
enum class WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void put_key(std::uint32_t field, WireType type, std::string& out) {
  put_varint(field << 3 | static_cast<std::uint32_t>(type), out);
}

void put_bytes(std::uint32_t field, std::string_view bytes, std::string& out) {
  put_key(field, WireType::kBytes, out);
  put_varint(bytes.size(), out);
  out += bytes;
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event_head(double wall_time, std::int64_t step) {
  std::string event;
  put_key(1, WireType::kFixed64, event);
  put_little_endian(std::bit_cast<std::uint64_t>(wall_time), event);
  put_key(2, WireType::kVarint, event);
  put_varint(static_cast<std::uint64_t>(step), event);
  return event;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::filesystem::path file_name(const std::filesystem::path& directory) {
  std::array<char, 256> host = {};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {"localhost"};
  return directory / fmt::format("events.out.tfevents.{:010}.{}.{}",
                                 static_cast<std::int64_t>(now()), host.data(), ::getpid());
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

std::string frame_record(std::string_view bytes) {
  std::string record;
  put_little_endian(static_cast<std::uint64_t>(bytes.size()), record);
  put_little_endian(masked_crc32c(record), record);
  record += bytes;
  put_little_endian(masked_crc32c(bytes), record);
  return record;
}

std::string version_event(double wall_time) {
  std::string event = event_head(wall_time, 0);
  put_bytes(3, "brain.Event:2", event);
  return event;
}

std::string session_start_event(double wall_time, std::int64_t step) {
  std::string session;  // SessionLog: status = 1, START is 1
  put_key(1, WireType::kVarint, session);
  put_varint(1, session);
  std::string event = event_head(wall_time, step);
  put_bytes(7, session, event);
  return event;
}

std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary;  // Summary: repeated Value = 1; Value: tag = 1, simple_value = 2
  for (const Scalar& scalar : scalars) {
    std::string value;
    put_bytes(1, scalar.tag, value);
    put_key(2, WireType::kFixed32, value);
    put_little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(scalar.value)), value);
    put_bytes(1, value, summary);
  }
  std::string event = event_head(wall_time, step);
  put_bytes(5, summary, event);
  return event;
}

EventFile::EventFile(const std::filesystem::path& directory, std::int64_t first_step)
    : file_(file_name(directory)) {
  file_.append(frame_record(version_event(now())));
  if (first_step > 1) file_.append(frame_record(session_start_event(now(), first_step)));
}

void EventFile::write(std::int64_t step, std::span<const Scalar> scalars) {
  file_.append(frame_record(scalar_event(now(), step, scalars)));
}

}  // namespace laurel::train
