// Regular expressions for the patterns that have no hand-written matcher, by PCRE2 in UTF mode. Its
// character classes follow PCRE2's own Unicode version (10.42: Unicode 14.0), those of the
// reference Unicode 16.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace laurel::tokenizer {

class Regex {
 public:
  // Throws UserError if PCRE2 does not take the pattern.
  Regex(std::string_view pattern, std::string_view where);
  // Matches exactly this text.
  static Regex literal(std::string_view text, std::string_view where);
  ~Regex();
  Regex(Regex&&) noexcept;

  // Calls found(begin, end) for each match from left to right, as Oniguruma's find_iter: an empty
  // match directly behind the last match does not count. Throws UserError when matching takes too
  // many steps. Precondition: valid UTF-8.
  void find_all(std::string_view text,
                const std::function<void(std::size_t begin, std::size_t end)>& found) const;

 private:
  struct State;
  Regex(std::string_view pattern, std::uint32_t options, std::string_view where);
  std::unique_ptr<State> state_;
};

}  // namespace laurel::tokenizer
