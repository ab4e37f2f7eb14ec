#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "laurel/report/html.h"
#include "laurel/report/model_card.h"

namespace laurel::report {
namespace {

using schema::CardRevision;
using schema::ModelCard;

struct Column {
  std::string title;
  std::function<std::string(const CardRevision&)> cell;
};

// The title of the base or mix with this key; the key itself when the card has no such part.
template <typename Part>
std::string title_of(const std::vector<Part>& parts, const std::string& key) {
  for (const Part& part : parts) {
    if (part.key == key) return part.title;
  }
  return key;
}

bool differs(const ModelCard& card, std::string CardRevision::*member) {
  return std::any_of(card.revisions.begin(), card.revisions.end(), [&](const CardRevision& r) {
    return r.*member != card.revisions.front().*member;
  });
}

std::string score_cell(const std::optional<double>& share) { return share ? percent(*share) : "–"; }

std::optional<double> subset_score(const CardRevision& revision, const std::string& name) {
  for (const auto& [subset, score] : revision.subsets) {
    if (subset == name) return score;
  }
  return std::nullopt;
}

// Names of the benchmark's parts in the order in which the revisions bring them up.
std::vector<std::string> subset_names(const ModelCard& card) {
  std::vector<std::string> names;
  for (const CardRevision& revision : card.revisions) {
    for (const auto& [name, score] : revision.subsets) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

std::vector<Column> columns_of(const ModelCard& card) {
  std::vector<Column> columns = {{"Revision", [](const auto& r) { return r.revision; }}};
  if (differs(card, &CardRevision::base)) {
    columns.push_back({"Base Model", [&](const auto& r) { return title_of(card.bases, r.base); }});
  }
  columns.push_back({"Training Data", [&](const auto& r) { return title_of(card.mixes, r.mix); }});
  columns.push_back({"Learning Rate", [](const auto& r) { return r.learning_rate; }});
  columns.push_back({"Num Epochs", [](const auto& r) { return r.num_epochs; }});
  if (differs(card, &CardRevision::seed)) {
    columns.push_back({"Seed", [](const auto& r) { return r.seed; }});
  }
  const std::string title = card.benchmark.title.empty() ? "Benchmark" : card.benchmark.title;
  columns.push_back({title + " Score", [](const auto& r) { return score_cell(r.overall); }});
  for (const std::string& name : subset_names(card)) {
    columns.push_back({name, [name](const auto& r) { return score_cell(subset_score(r, name)); }});
  }
  return columns;
}

}  // namespace

std::string escape_markdown(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      result += ' ';
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      if (std::string_view("|*`[]\\").find(c) != std::string_view::npos) result += '\\';
      result += c;
    }
  }
  return result;
}

std::string revision_table(const ModelCard& card) {
  const std::vector<Column> columns = columns_of(card);
  std::string text = "|", rule = "|";
  for (const Column& column : columns) {
    text += fmt::format(" {} |", escape_markdown(column.title));
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const CardRevision& revision : card.revisions) {
    text += "|";
    for (const Column& column : columns) {
      text += fmt::format(" {} |", escape_markdown(column.cell(revision)));
    }
    text += "\n";
  }
  return text;
}

}  // namespace laurel::report
