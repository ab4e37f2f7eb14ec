// Python's str operations. Texts are valid UTF-8; positions count code points.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laurel::chat::jinja {

// str.isspace() of one code point; also \s of Python's regular expressions.
bool is_space(char32_t code);

std::int64_t count_code_points(std::string_view text);
// Byte offset of code point `index`; the text's size if there are fewer.
std::size_t offset_of(std::string_view text, std::int64_t index);
// Size in bytes of the code point at `offset`.
std::size_t size_at(std::string_view text, std::size_t offset);

// Without `characters`: white space.
std::string_view strip_left(std::string_view text, std::optional<std::string_view> characters = {});
std::string_view strip_right(std::string_view text,
                             std::optional<std::string_view> characters = {});
std::string_view strip(std::string_view text, std::optional<std::string_view> characters = {});

// At most max_splits cuts, any number if negative. Precondition: separator not empty.
std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t max_splits = -1);
std::vector<std::string_view> split_right(std::string_view text, std::string_view separator,
                                          std::int64_t max_splits = -1);
// At runs of white space, none of it kept.
std::vector<std::string_view> split_space(std::string_view text, std::int64_t max_splits = -1);
std::vector<std::string_view> split_space_right(std::string_view text,
                                                std::int64_t max_splits = -1);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
// str.title(): every run of letters starts with a capital.
std::string title(std::string_view text);
// jinja2's title filter: capitals after white space and -({[< only.
std::string title_words(std::string_view text);

// Non-overlapping occurrences; those of an empty `part` lie between all code points.
std::int64_t count_parts(std::string_view text, std::string_view part);

// Python's int(text, base) and float(text); nullopt where Python raises ValueError. `overflow` is
// set when the integer does not fit 64 bits.
std::optional<std::int64_t> parse_int(std::string_view text, int base, bool& overflow);
std::optional<double> parse_float(std::string_view text);

}  // namespace laurel::chat::jinja
