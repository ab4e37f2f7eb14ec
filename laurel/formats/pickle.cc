#include "laurel/formats/pickle.h"

#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/base/utf8.h"

namespace laurel::formats {
namespace {

enum Opcode : std::uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kBuild = 'b',
  kBinPersId = 'Q',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
};

// Opcodes that are refused, by name.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 26> kRefused = {{
    {'i', "INST"},
    {'o', "OBJ"},
    {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {'P', "PERSID"},
    {'I', "INT"},
    {'L', "LONG"},
    {'F', "FLOAT"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'V', "UNICODE"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x8e, "BINBYTES8"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x8b, "LONG4"},
    {0x8f, "EMPTY_SET"},
    {0x91, "FROZENSET"},
    {'d', "DICT"},
    {'l', "LIST"},
    {'2', "DUP"},
}};

constexpr std::string_view kOrderedDict = "collections OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::size_t kMaxTensorArguments = 7;
constexpr std::array<std::string_view, 10> kStorageTypes = {
    "torch FloatStorage", "torch HalfStorage", "torch BFloat16Storage", "torch DoubleStorage",
    "torch LongStorage",  "torch IntStorage",  "torch ShortStorage",    "torch CharStorage",
    "torch ByteStorage",  "torch BoolStorage"};

// The constant of that name, which outlives any pickle; empty if it is none of the known globals.
std::string_view known_global(std::string_view name) {
  for (const std::string_view known : {kOrderedDict, kRebuildTensor, kRebuildParameter}) {
    if (known == name) return known;
  }
  for (const std::string_view known : kStorageTypes) {
    if (known == name) return known;
  }
  return {};
}

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, std::string_view where)
      : bytes_(bytes), where_(where) {}

  Pickle run() {
    for (;;) {
      const auto opcode = read<std::uint8_t>();
      if (opcode == kStop) break;
      step(opcode);
    }
    if (stack_.size() != 1 || !marks_.empty()) fail("expected one value at the end");
    pickle_.root = stack_.back();
    return std::move(pickle_);
  }

 private:
  using Index = std::uint32_t;

  [[noreturn]] void fail(std::string_view what) const {
    throw UserError("{}: damaged pickle at byte {}: {}", where_, position_, what);
  }

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) fail("cut off");
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, count);
    position_ += count;
    return text;
  }

  template <typename T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  void step(std::uint8_t opcode) {
    switch (opcode) {
      case kProto:
        if (const auto protocol = read<std::uint8_t>(); protocol < 2 || protocol > 5) {
          throw UserError("{}: unsupported pickle protocol, expected 2 to 5, got {}", where_,
                          protocol);
        }
        return;
      case kFrame:
        read<std::uint64_t>();
        return;
      case kMark:
        marks_.push_back(stack_.size());
        return;
      case kPop:
        pop();
        return;
      case kAppend:
      case kAppends:
        return extend(opcode == kAppend ? take_top(1) : take_to_mark(), PickleKind::kList);
      case kSetItem:
      case kSetItems:
        return extend(opcode == kSetItem ? take_top(2) : take_to_mark(), PickleKind::kDict);
      case kReduce:
        return reduce();
      case kBuild:  // attributes of a dictionary, which are not needed
        pop();
        if (top().kind != PickleKind::kDict) fail("state for something that is no dictionary");
        return;
      case kBinPut:
        return put(read<std::uint8_t>());
      case kLongBinPut:
        return put(read<std::uint32_t>());
      case kMemoize:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case kBinGet:
        return get(read<std::uint8_t>());
      case kLongBinGet:
        return get(read<std::uint32_t>());
      default:
        return push_value(opcode);
    }
  }

  // Opcodes that push a new value.
  void push_value(std::uint8_t opcode) {
    switch (opcode) {
      case kNone:
        return push_kind(PickleKind::kNone);
      case kNewTrue:
      case kNewFalse:
        return push_kind(PickleKind::kBool, opcode == kNewTrue ? 1 : 0);
      case kBinInt:
        return push_int(read<std::int32_t>());
      case kBinInt1:
        return push_int(read<std::uint8_t>());
      case kBinInt2:
        return push_int(read<std::uint16_t>());
      case kLong1:
        return push_long();
      case kBinFloat:
        take(8);
        return push_kind(PickleKind::kFloat);
      case kShortBinUnicode:
        return push_text(read<std::uint8_t>());
      case kBinUnicode:
        return push_text(read<std::uint32_t>());
      case kBinUnicode8:
        return push_text(read<std::uint64_t>());
      case kEmptyTuple:
        return push_kind(PickleKind::kTuple);
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push_list(PickleKind::kTuple, take_top(opcode - kTuple1 + 1u));
      case kTuple:
        return push_list(PickleKind::kTuple, take_to_mark());
      case kEmptyList:
        return push_kind(PickleKind::kList);
      case kEmptyDict:
        return push_kind(PickleKind::kDict);
      case kGlobal: {
        const std::string_view module = read_line();
        return push_global(module, read_line());
      }
      case kStackGlobal: {
        const std::vector<Index> names = take_top(2);
        return push_global(text_of(names[0]), text_of(names[1]));
      }
      case kBinPersId:
        return push_list(PickleKind::kStorage, take_top(1));
      default:
        refuse(opcode);
    }
  }

  [[noreturn]] void refuse(std::uint8_t opcode) const {
    std::string_view name = "unknown";
    for (const auto& [code, code_name] : kRefused) {
      if (code == opcode) name = code_name;
    }
    throw UserError(
        "{}: pickle opcode {} (0x{:02x}) at byte {} does not belong into a dictionary of tensors; "
        "refused",
        where_, name, opcode, position_ - 1);
  }

  void push(PickleValue value) {
    stack_.push_back(static_cast<Index>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
  }
  void push_kind(PickleKind kind, std::int64_t number = 0, std::string_view text = {}) {
    push({kind, number, text, {}});
  }
  void push_int(std::int64_t number) { push_kind(PickleKind::kInt, number); }
  void push_text(std::uint64_t size) {
    const std::string_view text = take(size);
    if (find_invalid_utf8(text) != std::string_view::npos) fail("text that is not UTF-8");
    push_kind(PickleKind::kString, 0, text);
  }
  void push_list(PickleKind kind, std::vector<Index> children) {
    PickleValue value;
    value.kind = kind;
    value.children = std::move(children);
    push(std::move(value));
  }

  // Little-endian two's complement of up to 8 bytes.
  void push_long() {
    const std::string_view digits = take(read<std::uint8_t>());
    if (digits.size() > 8) fail("integer of more than 64 bits");
    std::uint64_t number = !digits.empty() && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&number, digits.data(), digits.size());
    push_int(static_cast<std::int64_t>(number));
  }

  std::string_view read_line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_,
                                bytes_.size() - position_);
    const std::size_t end = rest.find('\n');
    if (end == rest.npos) fail("cut off");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  void push_global(std::string_view module, std::string_view name) {
    const std::string_view known =
        known_global(fmt::format("{} {}", module.substr(0, 100), name.substr(0, 100)));
    if (known.empty()) {
      std::string shown = fmt::format("{}.{}", module.substr(0, 100), name.substr(0, 100));
      if (find_invalid_utf8(shown) != std::string_view::npos) shown = "(not UTF-8)";
      throw UserError("{}: pickle global {} does not belong into a dictionary of tensors; refused",
                      where_, shown);
    }
    push_kind(PickleKind::kGlobal, 0, known);
  }

  std::string_view text_of(Index index) const {
    if (pickle_[index].kind != PickleKind::kString) fail("expected a name");
    return pickle_[index].text;
  }

  // Values above the innermost mark only: the rest belongs to an unfinished tuple or list.
  std::vector<Index> take_top(std::size_t count) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count) fail("stack too short");
    std::vector<Index> taken(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return taken;
  }
  std::vector<Index> take_to_mark() {
    if (marks_.empty()) fail("no mark");
    std::vector<Index> taken = take_top(stack_.size() - marks_.back());
    marks_.pop_back();
    return taken;
  }
  Index pop() { return take_top(1).front(); }
  PickleValue& top() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) fail("stack too short");
    return pickle_.values[stack_.back()];
  }

  void extend(const std::vector<Index>& items, PickleKind kind) {
    PickleValue& container = top();
    if (container.kind != kind) fail("items for something that cannot hold them");
    if (kind == PickleKind::kDict && items.size() % 2 != 0) fail("a key without a value");
    container.children.insert(container.children.end(), items.begin(), items.end());
  }

  // The "calls" that torch.save writes, as values.
  void reduce() {
    const std::vector<Index> call = take_top(2);
    const PickleValue& callable = pickle_[call[0]];
    if (callable.kind != PickleKind::kGlobal || pickle_[call[1]].kind != PickleKind::kTuple)
      fail("call of no function");
    const std::vector<Index>& arguments = pickle_[call[1]].children;
    if (callable.text == kOrderedDict && arguments.empty()) return push_kind(PickleKind::kDict);
    if (callable.text == kRebuildTensor && arguments.size() <= kMaxTensorArguments) {
      return push_list(PickleKind::kTensor, arguments);
    }
    if (callable.text == kRebuildParameter && !arguments.empty() &&
        pickle_[arguments[0]].kind == PickleKind::kTensor) {
      stack_.push_back(arguments[0]);
      return;
    }
    throw UserError("{}: pickle call of {} with unexpected arguments; refused", where_,
                    callable.text);
  }

  void put(std::uint32_t slot) {
    top();
    memo_[slot] = stack_.back();
  }
  void get(std::uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) fail("unknown memo");
    stack_.push_back(found->second);
  }

  std::span<const std::byte> bytes_;
  std::string_view where_;
  std::uint64_t position_ = 0;
  Pickle pickle_;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;  // stack heights
  std::unordered_map<std::uint32_t, Index> memo_;
};

}  // namespace

bool is_storage_type(std::string_view global) {
  for (const std::string_view known : kStorageTypes) {
    if (known == global) return true;
  }
  return false;
}

Pickle parse_pickle(std::span<const std::byte> bytes, std::string_view where) {
  return PickleMachine(bytes, where).run();
}

}  // namespace laurel::formats
