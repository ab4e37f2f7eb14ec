// Text for HTML: escaping, numbers, and the page around a report. Pages are self-contained: styles
// inside, no scripts, nothing fetched.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace laurel::report {

// `text` as element content or attribute value. Control characters that HTML forbids become U+FFFD.
std::string escape_html(std::string_view text);

// A share as people write it: 0.7219 is "72.2".
std::string percent(double share);
// Four significant digits: "0.5338", "-12.25", "1.2e-05".
std::string number(double value);

// At most `max_bytes`, cut between characters, with an ellipsis where something was cut.
std::string cut(const std::string& text, std::size_t max_bytes);

// A titled block of the page; `body` is HTML already.
std::string section(std::string_view title, std::string_view body);
// A large figure with what it is; style "main" stands out.
std::string card(std::string_view value, std::string_view label, std::string_view style = "");
// Appends a table row of a key and its value to `rows`; nothing for an empty value.
void add_fact(std::string& rows, std::string_view key, std::string_view value);

// A whole page around `body`, which is HTML already.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace laurel::report
