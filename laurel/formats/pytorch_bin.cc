#include "laurel/formats/pytorch_bin.h"

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/formats/pickle.h"
#include "laurel/formats/zip_archive.h"

namespace laurel::formats {
namespace {

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kOldMagic =
    "\x80\x02\x8a\x0a";  // a pickled number opens the format before torch 1.6
constexpr std::string_view kPickleName = "/data.pkl";
constexpr std::size_t kMaxPickleBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxRank = 8;

constexpr std::array<std::pair<std::string_view, DType>, 10> kStorageDTypes = {{
    {"torch FloatStorage", DType::kF32},
    {"torch HalfStorage", DType::kF16},
    {"torch BFloat16Storage", DType::kBF16},
    {"torch DoubleStorage", DType::kF64},
    {"torch LongStorage", DType::kI64},
    {"torch IntStorage", DType::kI32},
    {"torch ShortStorage", DType::kI16},
    {"torch CharStorage", DType::kI8},
    {"torch ByteStorage", DType::kU8},
    {"torch BoolStorage", DType::kBool},
}};

struct Storage {
  DType dtype;
  std::int64_t num_elements;
  std::span<const std::byte> bytes;
};

// A tensor as a window on a storage; all in elements.
struct Window {
  std::int64_t offset;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

bool is_contiguous(const Window& window) {
  std::int64_t expected = 1;
  for (std::size_t i = window.shape.size(); i-- > 0;) {
    if (window.shape[i] != 1 && window.strides[i] != expected) return false;
    expected *= window.shape[i];
  }
  return true;
}

// Row-major copy of a window that lies inside the storage.
std::vector<std::byte> copy_window(const Window& window, const Storage& storage,
                                   std::int64_t num_elements) {
  const auto size = static_cast<std::size_t>(dtype_size(storage.dtype));
  std::vector<std::byte> copy(static_cast<std::size_t>(num_elements) * size);
  std::vector<std::int64_t> index(window.shape.size(), 0);
  std::int64_t position = window.offset;
  for (std::size_t i = 0; i < copy.size(); i += size) {
    std::memcpy(copy.data() + i, storage.bytes.data() + static_cast<std::size_t>(position) * size,
                size);
    for (std::size_t axis = index.size(); axis-- > 0;) {  // the next element in row-major order
      position += window.strides[axis];
      if (++index[axis] < window.shape[axis]) break;
      position -= window.strides[axis] * window.shape[axis];
      index[axis] = 0;
    }
  }
  return copy;
}

class CheckpointReader {
 public:
  CheckpointReader(std::span<const std::byte> file, std::string_view where, OwnedTensors& copies)
      : where_(where),
        copies_(copies),
        copy_budget_(file.size()),
        entries_(parse_zip(file, where)) {}

  std::vector<TensorView> read() {
    read_pickle();
    const PickleValue& root = pickle_[pickle_.root];
    if (root.kind != PickleKind::kDict)
      throw UserError("{}: expected a dictionary of tensors", where_);
    std::vector<TensorView> views;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i + 1 < root.children.size(); i += 2) {
      const PickleValue& key = pickle_[root.children[i]];
      if (key.kind != PickleKind::kString)
        throw UserError("{}: expected tensor names as keys of the dictionary", where_);
      if (!names.insert(key.text).second)
        throw UserError("{}: tensor {} occurs twice", where_, key.text);
      views.push_back(read_tensor(std::string(key.text), pickle_[root.children[i + 1]]));
    }
    return views;
  }

 private:
  void read_pickle() {
    for (const auto& [name, bytes] : entries_) {
      if (!name.ends_with(kPickleName)) continue;
      if (!root_.empty()) throw UserError("{}: more than one data.pkl", where_);
      root_ = name.substr(0, name.size() - kPickleName.size());
      pickle_bytes_ = bytes;
    }
    if (root_.empty())
      throw UserError("{}: zip archive without data.pkl, expected a torch checkpoint", where_);
    const auto order = entries_.find(root_ + "/byteorder");
    if (order != entries_.end() && as_text(order->second) != "little") {
      throw UserError("{}: expected byte order little, got {}", where_,
                      as_text(order->second).substr(0, 20));
    }
    if (pickle_bytes_.size() > kMaxPickleBytes) {
      throw UserError("{}: data.pkl too large, expected at most {} bytes, got {}", where_,
                      kMaxPickleBytes, pickle_bytes_.size());
    }
    pickle_ = parse_pickle(pickle_bytes_, fmt::format("{}: data.pkl", where_));
  }

  static std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::int64_t int_at(const PickleValue& list, std::size_t i, const std::string& place) const {
    const PickleValue& value = pickle_[list.children[i]];
    if (value.kind != PickleKind::kInt || value.number < 0)
      throw UserError("{}: expected a size in the pickle", place);
    return value.number;
  }

  std::vector<std::int64_t> ints_of(const PickleValue& tuple, const std::string& place) const {
    if (tuple.kind != PickleKind::kTuple || tuple.children.size() > kMaxRank) {
      throw UserError("{}: expected a shape of at most {} dimensions in the pickle", place,
                      kMaxRank);
    }
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < tuple.children.size(); ++i)
      numbers.push_back(int_at(tuple, i, place));
    return numbers;
  }

  // ("storage", type, key, location, number of elements)
  Storage read_storage(const PickleValue& value, const std::string& place) const {
    const PickleValue* id =
        value.kind == PickleKind::kStorage ? &pickle_[value.children[0]] : nullptr;
    if (id == nullptr || id->kind != PickleKind::kTuple || id->children.size() != 5 ||
        pickle_[id->children[0]].text != "storage" ||
        !is_storage_type(pickle_[id->children[1]].text) ||
        pickle_[id->children[2]].kind != PickleKind::kString) {
      throw UserError("{}: expected a storage in the pickle", place);
    }
    Storage storage{};
    for (const auto& [name, dtype] : kStorageDTypes) {
      if (name == pickle_[id->children[1]].text) storage.dtype = dtype;
    }
    const std::string entry = fmt::format("{}/data/{}", root_, pickle_[id->children[2]].text);
    const auto found = entries_.find(entry);
    if (found == entries_.end()) throw UserError("{}: zip entry {} is missing", place, entry);
    storage.bytes = found->second;
    storage.num_elements = int_at(*id, 4, place);
    if (static_cast<std::uint64_t>(checked_mul(storage.num_elements, dtype_size(storage.dtype),
                                               place)) != storage.bytes.size()) {
      throw UserError("{}: zip entry {}: expected {} elements of {}, got {} bytes", place, entry,
                      storage.num_elements, dtype_name(storage.dtype), storage.bytes.size());
    }
    return storage;
  }

  // Elements of the window, all of which lie inside the storage.
  std::int64_t check_window(const Window& window, const Storage& storage,
                            const std::string& place) const {
    if (window.shape.size() != window.strides.size())
      throw UserError("{}: shape and strides differ in rank", place);
    std::int64_t num_elements = 1, last = window.offset;
    for (std::size_t i = 0; i < window.shape.size(); ++i) {
      num_elements = checked_mul(num_elements, window.shape[i], place);
      const std::int64_t steps = window.shape[i] == 0 ? 0 : window.shape[i] - 1;
      last = checked_add(last, checked_mul(steps, window.strides[i], place), place);
    }
    if (num_elements > 0 && last >= storage.num_elements) {
      throw UserError(
          "{}: reaches outside its storage, expected an end of at most {} elements, got {}", place,
          storage.num_elements, last);
    }
    if (num_elements > storage.num_elements) {
      throw UserError("{}: expanded tensor, expected at most {} elements as in its storage, got {}",
                      place, storage.num_elements, num_elements);
    }
    return num_elements;
  }

  // Arguments: storage, offset, shape, strides, requires_grad, hooks[, metadata].
  TensorView read_tensor(std::string name, const PickleValue& value) {
    const std::string place = fmt::format("{}: tensor {}", where_, name);
    if (value.kind != PickleKind::kTensor)
      throw UserError("{}: expected a tensor in the dictionary", place);
    if (value.children.size() < 6)
      throw UserError("{}: expected six arguments in the pickle", place);
    const Storage storage = read_storage(pickle_[value.children[0]], place);
    const Window window{int_at(value, 1, place), ints_of(pickle_[value.children[2]], place),
                        ints_of(pickle_[value.children[3]], place)};
    const std::int64_t num_elements = check_window(window, storage, place);
    TensorView view{.name = std::move(name),
                    .dtype = storage.dtype,
                    .shape = window.shape,
                    .data = {},
                    .file = std::string(where_)};
    const auto size = static_cast<std::size_t>(num_elements * dtype_size(storage.dtype));
    if (num_elements == 0) return view;
    if (is_contiguous(window)) {
      view.data = storage.bytes.subspan(
          static_cast<std::size_t>(window.offset * dtype_size(storage.dtype)), size);
    } else {
      if (size > copy_budget_)
        throw UserError("{}: more views of the same storages than the file could hold", place);
      copy_budget_ -= size;
      view.data = copies_.emplace_back(copy_window(window, storage, num_elements));
    }
    return view;
  }

  std::string_view where_;
  OwnedTensors& copies_;
  std::size_t
      copy_budget_;  // bytes that may still be copied: a small file cannot claim much memory
  ZipEntries entries_;
  std::string root_;
  std::span<const std::byte> pickle_bytes_;
  Pickle pickle_;
};

}  // namespace

std::vector<TensorView> parse_pytorch_bin(std::span<const std::byte> file, std::string_view where,
                                          OwnedTensors& copies) {
  const std::string_view head(reinterpret_cast<const char*>(file.data()),
                              std::min<std::size_t>(file.size(), 4));
  if (head == kOldMagic) {
    throw UserError(
        "{}: the torch format before 1.6 is not supported, expected a zip archive; load it with "
        "torch and "
        "save it again",
        where);
  }
  if (head != kZipMagic)
    throw UserError("{}: not a torch checkpoint, expected a zip archive", where);
  return CheckpointReader(file, where, copies).read();
}

}  // namespace laurel::formats
