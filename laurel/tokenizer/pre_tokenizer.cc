#include "laurel/tokenizer/pre_tokenizer.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "laurel/base/utf8.h"
#include "laurel/tokenizer/byte_alphabet.h"
#include "laurel/tokenizer/section.h"
#include "laurel/tokenizer/split_behavior.h"
#include "laurel/tokenizer/split_patterns.h"
#include "laurel/tokenizer/unicode_class.h"

namespace laurel::tokenizer {
namespace {

void split_by_pattern(SplitPattern pattern, std::string_view text, Pieces& out) {
  while (!text.empty()) {
    const std::size_t size = match_split(pattern, text);
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

// Split with one of the patterns that have a matcher, each match a piece: the usual case.
class PatternSplit final : public PreTokenizer {
 public:
  explicit PatternSplit(SplitPattern pattern) : pattern_(pattern) {}
  void split(std::string_view text, TextArena&, Pieces& out) const override {
    split_by_pattern(pattern_, text, out);
  }

 private:
  SplitPattern pattern_;
};

// Split with any pattern and behavior.
class RegexSplit final : public PreTokenizer {
 public:
  RegexSplit(Regex regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}

  void split(std::string_view text, TextArena&, Pieces& out) const override {
    std::vector<Span> spans;
    std::size_t last = 0;
    regex_.find_all(text, [&](std::size_t begin, std::size_t end) {
      if (last != begin) spans.push_back({last, begin, invert_});
      spans.push_back({begin, end, !invert_});
      last = end;
    });
    if (last != text.size()) spans.push_back({last, text.size(), invert_});
    apply_behavior(behavior_, spans);
    for (const Span& span : spans) {
      if (span.begin != span.end) out.push_back(text.substr(span.begin, span.end - span.begin));
    }
  }

 private:
  Regex regex_;
  SplitBehavior behavior_;
  bool invert_;
};

// Splits off numeric characters: one by one, or each run.
class Digits final : public PreTokenizer {
 public:
  explicit Digits(bool individual) : individual_(individual) {}

  void split(std::string_view text, TextArena&, Pieces& out) const override {
    const CharFlags& flags = char_flags();
    std::size_t begin = 0;
    bool in_digits = false;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t start = i;
      const bool digit = flags(decode_utf8(text, i)) & kNumeric;
      if (start > begin && (digit != in_digits || (digit && individual_))) {
        out.push_back(text.substr(begin, start - begin));
        begin = start;
      }
      in_digits = digit;
    }
    out.push_back(text.substr(begin));
  }

 private:
  bool individual_;
};

// Optionally a space in front of each piece and GPT-2's split; then bytes to their characters,
// unless the model reads bytes itself.
class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, bool spell)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex), spell_(spell) {}

  void split(std::string_view text, TextArena& arena, Pieces& out) const override {
    if (add_prefix_space_ && text[0] != ' ') text = arena.emplace_back(" " + std::string(text));
    const std::size_t first = out.size();
    if (use_regex_) {
      split_by_pattern(SplitPattern::kGpt2, text, out);
    } else {
      out.push_back(text);
    }
    if (!spell_) return;
    for (std::size_t i = first; i < out.size(); ++i) {
      std::string& spelled = arena.emplace_back();
      append_byte_chars(spelled, out[i]);
      out[i] = spelled;
    }
  }

 private:
  bool add_prefix_space_;
  bool use_regex_;
  bool spell_;
};

std::unique_ptr<PreTokenizer> make_split(const Json& section, const std::string& where) {
  const PatternText pattern = read_pattern(section, where);
  const SplitBehavior behavior = parse_behavior(require_string(section, "behavior", where), where);
  const bool invert = require_bool(section, "invert", where);
  const auto known = pattern.is_regex ? find_split_pattern(pattern.text) : std::nullopt;
  // These patterns leave no gaps, so that matches and gaps inverted are the same pieces.
  if (known && behavior == SplitBehavior::kIsolated) return std::make_unique<PatternSplit>(*known);
  return std::make_unique<RegexSplit>(compile_pattern(pattern, where), behavior, invert);
}

std::unique_ptr<PreTokenizer> make_byte_level(const Json& section, bool spell,
                                              const std::string& where) {
  return std::make_unique<ByteLevel>(require_bool(section, "add_prefix_space", where),
                                     get_bool(section, "use_regex", where).value_or(true), spell);
}

struct Step {
  const Json* section;
  std::string type;
  std::string where;
};

void flatten(const Json& section, const std::string& where, std::vector<Step>& steps) {
  std::string type = type_of(section, where);
  if (type != "Sequence") {
    steps.push_back({&section, std::move(type), where});
    return;
  }
  std::size_t i = 0;
  for (const Json& part : require_array(section, "pretokenizers", where)) {
    flatten(part, fmt::format("{}[{}]", where, i++), steps);
  }
}

}  // namespace

PreTokenizerChain::PreTokenizerChain(const Json& section, const std::string& where) {
  if (section.is_null()) return;
  std::vector<Step> steps;
  flatten(section, where, steps);
  for (const Step& step : steps) {
    if (step.type == "Split") {
      steps_.push_back(make_split(*step.section, step.where));
    } else if (step.type == "Digits") {
      steps_.push_back(std::make_unique<Digits>(
          get_bool(*step.section, "individual_digits", step.where).value_or(false)));
    } else if (step.type == "ByteLevel") {
      as_bytes_ = &step == &steps.back();
      steps_.push_back(make_byte_level(*step.section, !as_bytes_, step.where));
    } else {
      refuse_type(step.type, "Split, ByteLevel, Digits, Sequence", step.where);
    }
  }
}

void PreTokenizerChain::split(std::string_view text, TextArena& arena, Pieces& out) const {
  if (text.empty()) return;
  if (steps_.empty()) {
    out.push_back(text);
    return;
  }
  if (steps_.size() == 1) {
    steps_[0]->split(text, arena, out);
    return;
  }
  Pieces pieces{text}, next;
  for (std::size_t i = 0; i + 1 < steps_.size(); ++i) {
    next.clear();
    for (const std::string_view piece : pieces) steps_[i]->split(piece, arena, next);
    pieces.swap(next);
  }
  for (const std::string_view piece : pieces) steps_.back()->split(piece, arena, out);
}

}  // namespace laurel::tokenizer
