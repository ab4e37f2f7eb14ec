#include "laurel/train/frozen_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/base/hash.h"
#include "laurel/base/progress.h"
#include "laurel/train/file_lock.h"

namespace laurel::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".frozen-";
constexpr std::int64_t kChecksumBytes = sizeof(std::uint64_t);

[[noreturn]] void fail(const fs::path& path, const char* action) {
  throw IoError("{}: cannot {}: {}", path.string(), action, std::strerror(errno));
}

// All of the bytes at `offset`, through pread or pwrite.
template <typename Transfer, typename Byte>
void transfer_all(Transfer transfer, int descriptor, Byte* bytes, std::size_t count,
                  std::int64_t offset, const fs::path& path, const char* action) {
  while (count > 0) {
    const ssize_t done = transfer(descriptor, bytes, count, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path, action);
    if (done == 0)
      throw IoError("{}: cannot {}: the file has become shorter", path.string(), action);
    bytes += done;
    count -= static_cast<std::size_t>(done);
    offset += done;
  }
}

std::int64_t rows_alone(const data::TrainingSet& set, std::int64_t index) {
  const MicroBatch batch = make_micro_batch(set, std::vector<std::int64_t>{index}, true);
  return static_cast<std::int64_t>(batch.pack.tokens.size());
}

void check_room(const fs::path& directory, std::int64_t bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (!error && space.available < static_cast<std::uintmax_t>(bytes)) {
    throw IoError(
        "{}: no room for the states of the frozen layers, expected {}, got {}; "
        "--cache-dir may name another disk",
        directory.string(), format_bytes(static_cast<std::uint64_t>(bytes)),
        format_bytes(space.available));
  }
}

void remove_abandoned(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& path = entry.path();
    if (!path.filename().string().starts_with(kTemporary) || path.extension() != ".tmp") continue;
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) continue;  // gone meanwhile, or somebody else's
    if (try_lock(descriptor, path)) ::unlink(path.c_str());
    ::close(descriptor);
  }
}

}  // namespace

FrozenCache::FrozenCache(const data::TrainingSet& set, std::int64_t hidden_size,
                         const FrozenCacheOptions& options)
    : options_(options),
      hidden_size_(hidden_size),
      first_row_(1, 0),
      present_(set.examples.size(), false),
      checksums_(set.examples.size()),
      num_missing_(static_cast<std::int64_t>(set.examples.size())) {
  for (std::int64_t i = 0; i < num_missing_; ++i) {
    first_row_.push_back(checked_add(first_row_.back(), rows_alone(set, i), "frozen states"));
  }
  const std::int64_t bytes = checked_mul(
      first_row_.back(), hidden_size_ * static_cast<std::int64_t>(sizeof(float)), "frozen states");
  checked_add(bytes, num_missing_ * kChecksumBytes, "frozen states");
  open_file();
}

FrozenCache::~FrozenCache() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

std::int64_t FrozenCache::row_offset(std::size_t i) const {
  return first_row_[i] * hidden_size_ * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t FrozenCache::num_bytes() const {
  return rows_end() + static_cast<std::int64_t>(checksums_.size()) * kChecksumBytes;
}

void FrozenCache::open_file() {
  std::error_code error;
  fs::create_directories(options_.directory, error);
  if (!options_.key.empty()) {
    path_ = options_.directory / ("frozen-" + options_.key + ".f32");
    if (fs::file_size(path_, error) == static_cast<std::uintmax_t>(num_bytes()) && !error) {
      return open_complete();
    }
  }
  remove_abandoned(options_.directory);
  check_room(options_.directory, num_bytes());
  create_temporary();
  if (options_.key.empty()) {  // nameless: the system frees it when the process ends
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }
}

void FrozenCache::open_complete() {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail(path_, "open");
  transfer_all(::pread, descriptor_, reinterpret_cast<char*>(checksums_.data()),
               checksums_.size() * sizeof(checksums_[0]), rows_end(), path_, "read");
  present_.assign(present_.size(), true);
  num_missing_ = 0;
}

// Locked, so that others can tell it from one that was abandoned.
void FrozenCache::create_temporary() {
  constexpr int kAttempts = 100;
  for (int number = 0; number < kAttempts; ++number) {
    const fs::path path =
        options_.directory / fmt::format("{}{}-{}.tmp", kTemporary, ::getpid(), number);
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) fail(path, "create");
    if (try_lock(descriptor_, path)) {
      temporary_ = path;
      return;
    }
    ::unlink(path.c_str());  // another process, tidying up, was faster
    ::close(std::exchange(descriptor_, -1));
  }
  fail(options_.directory, "lock a file in");
}

bool FrozenCache::holds_all(const MicroBatch& batch) const {
  return std::all_of(batch.examples.begin(), batch.examples.end(),
                     [&](std::int64_t i) { return present_[static_cast<std::size_t>(i)]; });
}

kernels::ConstMatrix FrozenCache::states(const MicroBatch& batch,
                                         const model::TrainableModel& model, ThreadPool& pool) {
  if (holds_all(batch)) {
    read_rows(batch);
  } else {
    rows_ = model.frozen_states(batch.pack, pool);
    write_rows(batch);
  }
  return {rows_.data(), static_cast<std::int64_t>(batch.pack.tokens.size()), hidden_size_,
          hidden_size_};
}

void FrozenCache::read_rows(const MicroBatch& batch) {
  rows_.resize(batch.pack.tokens.size() * static_cast<std::size_t>(hidden_size_));
  char* out = reinterpret_cast<char*>(rows_.data());
  for (const std::int64_t index : batch.examples) {
    const auto i = static_cast<std::size_t>(index);
    const auto bytes = static_cast<std::size_t>(row_offset(i + 1) - row_offset(i));
    transfer_all(::pread, descriptor_, out, bytes, row_offset(i), options_.directory,
                 "read states of frozen layers");
    if (checksum(std::as_bytes(std::span(out, bytes))) != checksums_[i]) {
      throw UserError("{}: states of example {} are damaged{}",
                      path_.empty() ? options_.directory.string() : path_.string(), i + 1,
                      path_.empty() ? "" : "; remove the file");
    }
    out += bytes;
  }
}

void FrozenCache::write_rows(const MicroBatch& batch) {
  const char* in = reinterpret_cast<const char*>(rows_.data());
  for (const std::int64_t index : batch.examples) {
    const auto i = static_cast<std::size_t>(index);
    const auto bytes = static_cast<std::size_t>(row_offset(i + 1) - row_offset(i));
    if (!present_[i]) {
      transfer_all(::pwrite, descriptor_, in, bytes, row_offset(i), options_.directory,
                   "write states of frozen layers");
      checksums_[i] = checksum(std::as_bytes(std::span(in, bytes)));
      present_[i] = true;
      --num_missing_;
    }
    in += bytes;
  }
  if (num_missing_ == 0 && !temporary_.empty()) finish_file();
}

// Only complete files get their name.
void FrozenCache::finish_file() {
  transfer_all(::pwrite, descriptor_, reinterpret_cast<const char*>(checksums_.data()),
               checksums_.size() * sizeof(checksums_[0]), rows_end(), path_, "write");
  if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(path_, "finish writing");
  }
  temporary_.clear();
}

}  // namespace laurel::train
