#include "laurel/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "laurel/base/error.h"

namespace laurel::tokenizer {
namespace {

// Steps that a match may take: few for nearly all; a small share of them, which is what bounds the
// whole, may take many.
constexpr std::uint32_t kFewSteps = 1'000;
constexpr std::uint32_t kManySteps = 2'000'000;
constexpr std::size_t kMinSlowMatches = 64;
constexpr std::size_t kBytesPerSlowMatch = 1024;
constexpr std::uint32_t kMaxHeapKilobytes = 64 * 1024;

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
template <typename T>
using Handle = std::unique_ptr<T, Free>;

Handle<pcre2_match_context> make_limits(std::uint32_t steps) {
  Handle<pcre2_match_context> limits(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(limits.get(), steps);
  pcre2_set_heap_limit(limits.get(), kMaxHeapKilobytes);
  return limits;
}

std::string error_text(int code) {
  unsigned char buffer[256];
  const int size = pcre2_get_error_message(code, buffer, sizeof(buffer));
  return size < 0 ? std::string("unknown error") : std::string(buffer, buffer + size);
}

}  // namespace

struct Regex::State {
  Handle<pcre2_code> code;
  Handle<pcre2_match_context> few_steps;
  Handle<pcre2_match_context> many_steps;
  std::string where;
};

Regex::Regex(std::string_view pattern, std::string_view where)
    : Regex(pattern, PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, where) {}

Regex Regex::literal(std::string_view text, std::string_view where) {
  return {text, PCRE2_LITERAL, where};
}

Regex::Regex(std::string_view pattern, std::uint32_t options, std::string_view where)
    : state_(std::make_unique<State>()) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  state_->where = where;
  state_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   options | PCRE2_UTF, &error, &offset, nullptr));
  if (!state_->code) {
    throw UserError("{}: invalid regular expression at byte {}: {}", where, offset,
                    error_text(error));
  }
  state_->few_steps = make_limits(kFewSteps);
  state_->many_steps = make_limits(kManySteps);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

void Regex::find_all(std::string_view text,
                     const std::function<void(std::size_t begin, std::size_t end)>& found) const {
  const Handle<pcre2_match_data> data(
      pcre2_match_data_create_from_pattern(state_->code.get(), nullptr));
  const auto match = [&](std::size_t from, const Handle<pcre2_match_context>& limits) {
    return pcre2_match(state_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                       from, PCRE2_NO_UTF_CHECK, data.get(), limits.get());
  };
  std::size_t slow_matches_left = kMinSlowMatches + text.size() / kBytesPerSlowMatch;
  std::size_t last_end = SIZE_MAX;
  for (std::size_t from = 0; from <= text.size();) {
    int count = match(from, state_->few_steps);
    if (count == PCRE2_ERROR_MATCHLIMIT && slow_matches_left > 0) {
      --slow_matches_left;
      count = match(from, state_->many_steps);
    }
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0)
      throw UserError("{}: regular expression fails on the text: {}", state_->where,
                      error_text(count));
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
    const std::size_t begin = span[0], end = span[1];
    if (begin > end)
      throw UserError("{}: regular expression: a match ends before it begins", state_->where);
    if (begin == end && end == last_end) {
      ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
      continue;
    }
    found(begin, end);
    from = last_end = end;
  }
}

}  // namespace laurel::tokenizer
