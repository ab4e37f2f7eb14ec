// Format constraints that a program can check: the truth behind Laurel Mini's Precise IF rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace laurel::bench {

enum class ConstraintKind {
  kWordCount,      // number
  kMaxWords,       // number
  kSentenceCount,  // number
  kBulletCount,    // number
  kLowercase,
  kUppercase,
  kIncludeWord,  // word
  kExcludeWord,  // word
  kNoCommas,
  kStartsWith,  // word
  kEndsWith,    // word, without the full stop
  kJsonWithKey  // word
};

struct Constraint {
  ConstraintKind kind;
  std::int64_t number = 0;
  std::string word;
};

// Whether the text does what the constraint says. Words are runs between spaces; sentences end in
// ".", "!" or "?"; bullets are lines that begin with "- ".
bool satisfies(std::string_view text, const Constraint& constraint);

std::int64_t count_words(std::string_view text);

}  // namespace laurel::bench
