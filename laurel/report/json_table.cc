#include "laurel/report/json_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "laurel/base/progress.h"
#include "laurel/report/html.h"

namespace laurel::report {
namespace {

void append_facts(const Json& object, const std::string& prefix, std::string& rows) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + spoken_key(key);
    if (value.is_object()) {
      append_facts(value, name + " · ", rows);
    } else {
      add_fact(rows, name, spoken_value(value));
    }
  }
}

std::vector<std::string> columns_of(const Json& list) {
  std::vector<std::string> columns;
  for (const Json& row : list) {
    for (const auto& [key, value] : row.items()) {
      if (value.is_structured()) continue;
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
    }
  }
  return columns;
}

// Numbers stand at the right, under headings at the right.
const char* alignment(const Json& value) { return value.is_number() ? " class=\"n\"" : ""; }

}  // namespace

std::string spoken_key(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string spoken_value(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_integer()) return format_count(value.get<std::int64_t>());
  if (value.is_number_float()) return number(value.get<double>());
  std::string text;
  if (value.is_array()) {
    for (const Json& item : value) {
      if (item.is_structured()) return "";
      text += (text.empty() ? "" : ", ") + spoken_value(item);
    }
  }
  return text;
}

std::string fact_rows(const Json& object) {
  std::string rows;
  if (object.is_object()) append_facts(object, "", rows);
  return rows;
}

std::string object_table(const Json& list) {
  const auto is_object = [](const Json& row) { return row.is_object(); };
  if (!list.is_array() || list.empty() || !std::all_of(list.begin(), list.end(), is_object))
    return "";
  const std::vector<std::string> columns = columns_of(list);
  std::string html = "<table>\n<tr>";
  for (const std::string& key : columns) {
    html += fmt::format("<th{}>{}</th>", alignment(list[0].value(key, Json())),
                        escape_html(spoken_key(key)));
  }
  html += "</tr>\n";
  for (const Json& row : list) {
    html += "<tr>";
    for (const std::string& key : columns) {
      const Json value = row.value(key, Json());
      html += fmt::format("<td{}>{}</td>", alignment(value), escape_html(spoken_value(value)));
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

}  // namespace laurel::report
