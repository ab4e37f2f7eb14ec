#include "laurel/tokenizer/token_trie.h"

#include <algorithm>
#include <deque>
#include <numeric>

#include "laurel/base/checked.h"

namespace laurel::tokenizer {

TokenTrie::TokenTrie(const std::vector<std::string>& strings) {
  std::vector<std::uint32_t> order(strings.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return strings[a] < strings[b]; });
  // Breadth first: a node's strings are a range of `order` that agrees in its first `depth` bytes.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::deque<Range> open{{0, order.size(), 0}};
  nodes_.emplace_back();
  for (std::uint32_t node = 0; !open.empty(); ++node) {
    auto [begin, end, depth] = open.front();
    open.pop_front();
    if (begin < end && strings[order[begin]].size() == depth) nodes_[node].string = order[begin];
    while (begin < end && strings[order[begin]].size() == depth) ++begin;
    nodes_[node].first_edge = checked_cast<std::uint32_t>(edges_.size(), "added tokens");
    while (begin < end) {
      const auto byte = static_cast<unsigned char>(strings[order[begin]][depth]);
      std::size_t next = begin;
      while (next < end && static_cast<unsigned char>(strings[order[next]][depth]) == byte) ++next;
      edges_.push_back({byte, checked_cast<std::uint32_t>(nodes_.size(), "added tokens")});
      ++nodes_[node].num_edges;
      nodes_.emplace_back();
      open.push_back({begin, next, depth + 1});
      begin = next;
    }
  }
  for (std::uint32_t i = 0; i < nodes_[0].num_edges; ++i) roots_[edges_[i].byte] = edges_[i].node;
}

std::uint32_t TokenTrie::child(std::uint32_t node, unsigned char byte) const {
  const auto begin = edges_.begin() + nodes_[node].first_edge, end = begin + nodes_[node].num_edges;
  const auto found = std::lower_bound(
      begin, end, byte, [](const Edge& edge, unsigned char b) { return edge.byte < b; });
  return found != end && found->byte == byte ? found->node : 0;
}

std::optional<TokenTrie::Match> TokenTrie::find(std::string_view text, std::size_t from) const {
  if (edges_.empty()) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    std::uint32_t node = roots_[byte(begin)];
    if (node == 0) continue;
    std::optional<Match> best;
    for (std::size_t end = begin + 1;; ++end) {
      if (nodes_[node].string != kNoString) best = Match{begin, end, nodes_[node].string};
      if (end == text.size()) break;
      node = child(node, byte(end));
      if (node == 0) break;
    }
    if (best) return best;
  }
  return std::nullopt;
}

}  // namespace laurel::tokenizer
