#include "laurel/data/token_cache.h"

#include <bit>
#include <cstring>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/hash.h"

namespace laurel::data {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "LRLTOK01";
constexpr std::size_t kDigestSize = 32;

template <typename T>
std::string_view bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string_view bytes_of(const std::vector<std::int32_t>& ids) {
  return {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t)};
}

template <typename Write>  // void(std::string_view)
void write_payload(const std::string& key, const TokenizedSource& source, const Write& write) {
  const auto number = [&](auto value) { write(bytes_of(static_cast<std::int64_t>(value))); };
  const std::string counts = to_line(source.counts);
  write(key);
  number(counts.size());
  write(counts);
  number(source.examples.size());
  for (const TrainingExample& example : source.examples) {
    number(example.row);
    write(bytes_of(example.margin));
    number(example.sequences.size());
    for (const std::vector<std::int32_t>& ids : example.sequences) {
      number(ids.size());
      write(bytes_of(ids));
    }
  }
}

// Takes values off the front of bytes. Throws UserError when they are too few.
class PayloadReader {
 public:
  explicit PayloadReader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) throw UserError("token cache: file too short");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <typename T>
  T value() {
    T result;
    std::memcpy(&result, take(sizeof(T)).data(), sizeof(T));
    return result;
  }
  // A number of items that take at least item_size bytes each.
  std::size_t count(std::size_t item_size) {
    const auto result = value<std::uint64_t>();
    if (result > rest_.size() / item_size) throw UserError("token cache: file too short");
    return result;
  }

 private:
  std::string_view rest_;
};

TrainingExample read_example(PayloadReader& reader) {
  TrainingExample example;
  example.row = reader.value<std::int64_t>();
  example.margin = reader.value<float>();
  example.sequences.resize(reader.count(sizeof(std::int64_t)));
  for (std::vector<std::int32_t>& ids : example.sequences) {
    ids.resize(reader.count(sizeof(std::int32_t)));
    std::memcpy(ids.data(), reader.take(ids.size() * sizeof(std::int32_t)).data(),
                ids.size() * sizeof(std::int32_t));
  }
  return example;
}

TokenizedSource read_payload(std::string_view payload, const std::string& key) {
  PayloadReader reader(payload);
  if (reader.take(key.size()) != key) throw UserError("token cache: another key");
  TokenizedSource source;
  source.counts = parse_json(reader.take(reader.count(1)), "token cache");
  const std::size_t num_examples = reader.count(1);
  for (std::size_t i = 0; i < num_examples; ++i) source.examples.push_back(read_example(reader));
  return source;
}

}  // namespace

TokenCache::TokenCache(std::filesystem::path directory) : directory_(std::move(directory)) {}

std::filesystem::path TokenCache::path_of(const std::string& key) const {
  return directory_ / (key + ".tokens");
}

std::optional<TokenizedSource> TokenCache::find(const std::string& key) const {
  std::error_code ignored;
  if (directory_.empty() || !std::filesystem::is_regular_file(path_of(key), ignored))
    return std::nullopt;
  const MappedFile file(path_of(key));
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()),
                               file.bytes().size());
  const std::size_t header = kMagic.size() + kDigestSize;
  if (bytes.size() < header || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::string_view payload = bytes.substr(header);
  if (fingerprint(payload) != bytes.substr(kMagic.size(), kDigestSize)) return std::nullopt;
  try {
    return read_payload(payload, key);
  } catch (const UserError&) {  // of another version, say
    return std::nullopt;
  }
}

void TokenCache::store(const std::string& key, const TokenizedSource& source) const {
  if (directory_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) {
    throw IoError("{}: cannot make the directory: {}", directory_.string(), error.message());
  }
  Fingerprinter digest;
  write_payload(key, source, [&](std::string_view bytes) { digest.add(bytes); });
  AtomicFile file(path_of(key));
  file.write(kMagic);
  file.write(digest.digest());
  write_payload(key, source, [&](std::string_view bytes) { file.write(bytes); });
  file.commit();
}

}  // namespace laurel::data
