#include "laurel/tokenizer/merge_symbols.h"

#include <algorithm>
#include <cstdint>
#include <queue>

namespace laurel::tokenizer {
namespace {

// Below this many symbols, scanning for the best pair beats a heap.
constexpr std::size_t kMaxScanned = 48;

void merge_by_scan(const MergeTable& merges, TokenId* ids, std::size_t& count) {
  MergeRule rules[kMaxScanned];  // of the pair (i, i + 1)
  for (std::size_t i = 0; i + 1 < count; ++i) rules[i] = merges.find(ids[i], ids[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (rules[i].rank < rules[best].rank) best = i;
    }
    if (!rules[best]) return;
    ids[best] = rules[best].id;
    --count;
    std::copy(ids + best + 2, ids + count + 1, ids + best + 1);
    std::copy(rules + best + 1, rules + count, rules + best);
    if (best > 0) rules[best - 1] = merges.find(ids[best - 1], ids[best]);
    if (best + 1 < count) rules[best] = merges.find(ids[best], ids[best + 1]);
  }
}

// A linked list of symbols and a heap of possible merges. An entry outlives the pair it was made
// for; it is then void unless the pair in its place makes the same token (which takes two strings
// with one id): the reference's own test.
class HeapMerger {
 public:
  HeapMerger(const MergeTable& merges, const std::vector<TokenId>& ids, std::size_t start)
      : merges_(merges) {
    const std::size_t count = ids.size() - start;
    symbols_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      symbols_.push_back({ids[start + i], static_cast<Index>(i) - 1,
                          i + 1 < count ? static_cast<Index>(i) + 1 : kEnd});
    }
    std::vector<Entry> entries;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const MergeRule rule = merges_.find(symbols_[i].id, symbols_[i + 1].id);
      if (rule) entries.push_back({rule, static_cast<Index>(i)});
    }
    heap_ = Heap(Later{}, std::move(entries));
  }

  void run() {
    while (!heap_.empty()) {
      const Entry top = heap_.top();
      heap_.pop();
      if (is_current(top)) merge(top);
    }
  }

  void write(std::vector<TokenId>& ids, std::size_t start) const {
    std::size_t end = start;
    for (Index i = symbols_.empty() ? kEnd : 0; i != kEnd; i = at(i).next) ids[end++] = at(i).id;
    ids.resize(end);
  }

 private:
  using Index = std::int64_t;
  static constexpr Index kEnd = -1;
  struct Symbol {
    TokenId id;  // -1 once merged into its left neighbor
    Index previous;
    Index next;
  };
  struct Entry {
    MergeRule rule;
    Index position;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.rule.rank != b.rule.rank ? a.rule.rank > b.rule.rank : a.position > b.position;
    }
  };
  using Heap = std::priority_queue<Entry, std::vector<Entry>, Later>;

  Symbol& at(Index i) { return symbols_[static_cast<std::size_t>(i)]; }
  const Symbol& at(Index i) const { return symbols_[static_cast<std::size_t>(i)]; }

  bool is_current(const Entry& entry) const {
    const Symbol& left = at(entry.position);
    if (left.id < 0 || left.next == kEnd) return false;
    const MergeRule rule = merges_.find(left.id, at(left.next).id);
    return rule && rule.id == entry.rule.id;
  }

  void merge(const Entry& entry) {
    Symbol& left = at(entry.position);
    Symbol& right = at(left.next);
    left.id = entry.rule.id;
    right.id = -1;
    left.next = right.next;
    if (left.next != kEnd) at(left.next).previous = entry.position;
    if (left.previous != kEnd) push_pair(left.previous);
    if (left.next != kEnd) push_pair(entry.position);
  }

  void push_pair(Index position) {
    const MergeRule rule = merges_.find(at(position).id, at(at(position).next).id);
    if (rule) heap_.push({rule, position});
  }

  const MergeTable& merges_;
  std::vector<Symbol> symbols_;
  Heap heap_;
};

}  // namespace

void merge_symbols(const MergeTable& merges, bool unique_ids, std::vector<TokenId>& ids,
                   std::size_t start) {
  std::size_t count = ids.size() - start;
  if (unique_ids && count <= kMaxScanned) {
    merge_by_scan(merges, ids.data() + start, count);
    ids.resize(start + count);
    return;
  }
  HeapMerger merger(merges, ids, start);
  merger.run();
  merger.write(ids, start);
}

}  // namespace laurel::tokenizer
