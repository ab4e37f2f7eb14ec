// Finds which of a fixed set of strings begin at a place in a text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::tokenizer {

class TokenTrie {
 public:
  struct Match {
    std::size_t begin;
    std::size_t end;
    std::size_t index;  // of the string, as given; the first of equal ones
  };

  TokenTrie() = default;
  // Precondition: no string is empty.
  explicit TokenTrie(const std::vector<std::string>& strings);

  // The leftmost match at or behind `from`, the longest of those that begin there.
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  static constexpr std::uint32_t kNoString = UINT32_MAX;
  struct Node {
    std::uint32_t first_edge = 0;
    std::uint32_t num_edges = 0;
    std::uint32_t string = kNoString;
  };
  struct Edge {
    unsigned char byte;
    std::uint32_t node;
  };

  std::uint32_t child(std::uint32_t node, unsigned char byte) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;                 // of each node side by side, ordered by byte
  std::array<std::uint32_t, 256> roots_{};  // node below the root by first byte; 0: none
};

}  // namespace laurel::tokenizer
