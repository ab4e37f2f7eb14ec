#include "laurel/data/preference_row.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "laurel/base/error.h"
#include "laurel/data/row_value.h"
#include "laurel/schema/input_row.h"
#include "laurel/schema/transcript.h"

namespace laurel::data {
namespace {

using schema::Conversation;
using schema::Message;
using schema::Messages;

constexpr std::array<std::pair<const char*, const char*>, 3> kIdKeys = {{
    {"chosen_ids", "rejected_ids"},
    {"chosen_input_ids", "rejected_input_ids"},
    {"input_ids_chosen", "input_ids_rejected"},
}};

// A system turn from a column of its own, in front of conversations that have none.
void add_system(const Json& row, std::vector<Conversation>& conversations, std::string_view where) {
  const std::string text = get_string(row, "system", where).value_or("");
  if (text.empty()) return;
  for (Conversation& conversation : conversations) {
    auto* messages = std::get_if<Messages>(&conversation);
    if (messages == nullptr)
      throw UserError("{}: expected messages, got rendered text", place_of(where, "system"));
    if (messages->front().role != "system")
      messages->insert(messages->begin(), {"system", text, Json::object()});
  }
}

// {"chosen", "rejected", "prompt"?}.
class ChosenRejected {
 public:
  ChosenRejected(const Json& row, const ReaderOptions& options, std::string_view where)
      : row_(row), options_(options), where_(where) {
    prompt_ = find_member(row, options.prompt_key);
    if (prompt_ == nullptr) prompt_ = find_member(row, "input");  // axolotl's name
  }

  PreferenceRow parse() const {
    const Json& chosen = required_member(row_, options_.chosen_key, where_);
    const Json& rejected = required_member(row_, options_.rejected_key, where_);
    if (chosen.is_string() != rejected.is_string()) {
      throw UserError("{}: expected two strings or two lists of messages, got {} and {}", where_,
                      chosen.type_name(), rejected.type_name());
    }
    const bool transcripts = is_transcript(chosen);
    if (transcripts != is_transcript(rejected)) {
      throw UserError("{}: one of {} and {} begins with \"Human:\", the other does not", where_,
                      options_.chosen_key, options_.rejected_key);
    }
    PreferenceRow parsed;
    parsed.form = fmt::format("{} prompt, {}", prompt_ == nullptr ? "implicit" : "explicit",
                              transcripts                                       ? "transcripts"
                              : !chosen.is_string()                             ? "messages"
                              : prompt_ == nullptr || options_.strings_are_text ? "text"
                                                                                : "strings");
    parsed.conversations = {side(chosen, options_.chosen_key, transcripts),
                            side(rejected, options_.rejected_key, transcripts)};
    add_system(row_, parsed.conversations, where_);
    return parsed;
  }

 private:
  // Whether the side is a whole conversation written as text.
  bool is_transcript(const Json& side) const {
    return prompt_ == nullptr && side.is_string() && !options_.strings_are_text &&
           schema::is_transcript(side.get_ref<const std::string&>());
  }

  Conversation side(const Json& value, std::string_view key, bool is_transcript) const {
    const std::string place = place_of(where_, key);
    if (is_transcript) return schema::parse_transcript(value.get_ref<const std::string&>(), place);
    if (value.is_string() && options_.strings_are_text && prompt_ != nullptr) {
      if (!prompt_->is_string()) {
        throw UserError("{}: expected a prompt that is a string too, got {}", place,
                        prompt_->type_name());
      }
      return prompt_->get<std::string>() + value.get<std::string>();
    }
    return schema::join_completion(prompt_, value, place);
  }

  const Json& row_;
  const ReaderOptions& options_;
  std::string_view where_;
  const Json* prompt_;
};

PreferenceRow parse_token_ids(const Json& row, std::string_view where) {
  PreferenceRow parsed;
  parsed.form = "token ids";
  for (const auto& [chosen, rejected] : kIdKeys) {
    if (find_member(row, chosen) == nullptr) continue;
    parsed.conversations = {
        token_ids(required_member(row, chosen, where), place_of(where, chosen)),
        token_ids(required_member(row, rejected, where), place_of(where, rejected))};
    break;
  }
  return parsed;
}

// NeMo-RL's ranked completions: the lowest rank is the best.
PreferenceRow parse_ranked(const Json& row, std::string_view where) {
  const Json& context = required_member(row, "context", where);
  const Json& list = required_member(row, "completions", where);
  const std::string place = place_of(where, "completions");
  if (!list.is_array() || list.size() < 2)
    throw UserError("{}: expected a list of at least two completions", place);
  std::vector<std::pair<std::int64_t, Conversation>> ranked;
  for (const Json& item : list) {
    const std::string item_place = fmt::format("{} {}", place, ranked.size() + 1);
    if (!item.is_object()) {
      throw UserError("{}: expected an object with rank and completion, got {}", item_place,
                      item.type_name());
    }
    const auto rank = get_int(item, "rank", item_place);
    if (!rank) throw UserError("{}: missing key \"rank\"", item_place);
    ranked.emplace_back(
        *rank, schema::join_completion(&context, required_member(item, "completion", item_place),
                                       item_place));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  PreferenceRow parsed;
  parsed.form = "ranked completions";
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    parsed.tie |= i > 0 && ranked[i].first == ranked[i - 1].first;
    parsed.conversations.push_back(std::move(ranked[i].second));
  }
  return parsed;
}

PreferenceRow parse_sharegpt(const Json& row, std::string_view where) {
  const std::string place = place_of(where, "conversations");
  const Json& turns = row["conversations"];
  if (!turns.is_array()) throw UserError("{}: expected a list, got {}", place, turns.type_name());
  Messages prompt;
  for (const Json& turn : turns) {
    prompt.push_back(sharegpt_message(turn, fmt::format("{}: turn {}", place, prompt.size() + 1)));
  }
  PreferenceRow parsed;
  parsed.form = "ShareGPT ranking";
  for (const char* key : {"chosen", "rejected"}) {
    Messages messages = prompt;
    messages.push_back(sharegpt_message(required_member(row, key, where), place_of(where, key)));
    parsed.conversations.emplace_back(std::move(messages));
  }
  add_system(row, parsed.conversations, where);
  return parsed;
}

// The turns of one side of an arena battle; a model that said nothing has null.
Messages arena_side(const Json& prompts, const Json& row, const char* key, std::string_view where) {
  const std::string place = place_of(where, key);
  const Json answers = list_or_json_text(required_member(row, key, where), place);
  if (answers.empty() || answers.size() != prompts.size()) {
    throw UserError("{}: expected as many answers as prompts, {}, got {}", place, prompts.size(),
                    answers.size());
  }
  Messages messages;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    for (const auto& [role, text] : {std::pair("user", &prompts[i]), {"assistant", &answers[i]}}) {
      if (!text->is_string() && !text->is_null())
        throw UserError("{}: turn {}: expected a string, got {}", place, i + 1, text->type_name());
      messages.push_back(
          {role, text->is_null() ? std::string() : text->get<std::string>(), Json::object()});
    }
  }
  return messages;
}

// One of the arena's winner columns, 0 or 1.
bool arena_flag(const Json& row, const char* key, std::string_view where) {
  const Json& value = required_member(row, key, where);
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer() && (value == 0 || value == 1)) return value == 1;
  throw UserError("{}: expected 0 or 1, got {}", place_of(where, key), to_line(value));
}

PreferenceRow parse_arena(const Json& row, std::string_view where) {
  const Json prompts = list_or_json_text(row["prompt"], place_of(where, "prompt"));
  const bool a = arena_flag(row, "winner_model_a", where);
  const bool b = arena_flag(row, "winner_model_b", where);
  PreferenceRow parsed;
  parsed.form = "arena battles";
  parsed.tie = arena_flag(row, "winner_tie", where);
  if (a + b + parsed.tie != 1) {
    throw UserError("{}: expected one of winner_model_a, winner_model_b, winner_tie to be 1",
                    where);
  }
  parsed.conversations = {arena_side(prompts, row, b ? "response_b" : "response_a", where),
                          arena_side(prompts, row, b ? "response_a" : "response_b", where)};
  return parsed;
}

// What the row holds instead of a comparison.
[[noreturn]] void refuse(const Json& row, const ReaderOptions& options, std::string_view where) {
  std::string found;
  if (row.contains("completion") && row.contains("label")) {
    found = "an unpaired completion with a label";
  } else if (row.contains("completions") && row.contains("labels")) {
    found = "labels of steps";
  } else {
    std::size_t shown = 0;
    for (const auto& [key, value] : row.items()) {
      if (++shown > 8) break;
      found += (shown > 1 ? ", " : "keys ") + key;
    }
    if (shown == 0) found = "no keys";
  }
  throw UserError(
      "{}: no comparison of completions, expected {} and {}, got {}; --chosen-key, --rejected-key "
      "and --prompt-key name other columns",
      where, options.chosen_key, options.rejected_key, found);
}

bool has_token_ids(const Json& row) {
  return std::any_of(kIdKeys.begin(), kIdKeys.end(),
                     [&](const auto& keys) { return find_member(row, keys.first) != nullptr; });
}

PreferenceRow parse_form(const Json& row, const ReaderOptions& options, std::string_view where) {
  const auto has = [&](std::string_view key) { return find_member(row, key) != nullptr; };
  if (has("conversations") && has("chosen")) return parse_sharegpt(row, where);
  if (has(options.chosen_key) || has(options.rejected_key))
    return ChosenRejected(row, options, where).parse();
  if (has_token_ids(row)) return parse_token_ids(row, where);
  if (has("context") && has("completions")) return parse_ranked(row, where);
  if (has("prompt") && has("response_a") && has("response_b")) return parse_arena(row, where);
  refuse(row, options, where);
}

// "tools" and "chat_template_kwargs" of TRL.
Json template_variables(const Json& row, std::string_view where) {
  Json variables = Json::object();
  if (const Json* more = find_member(row, "chat_template_kwargs")) {
    if (!more->is_object()) {
      throw UserError("{}: expected an object, got {}", place_of(where, "chat_template_kwargs"),
                      more->type_name());
    }
    variables = *more;
  }
  if (const Json* tools = find_member(row, "tools"))
    variables["tools"] = list_or_json_text(*tools, place_of(where, "tools"));
  return variables;
}

Json to_json(const Conversation& conversation, std::size_t begin, std::size_t end) {
  Json list = Json::array();
  const auto& messages = std::get<Messages>(conversation);
  for (std::size_t i = begin; i < end; ++i) list.push_back(schema::to_json(messages[i]));
  return list;
}

Json to_json(const Conversation& conversation) {
  if (const auto* text = std::get_if<std::string>(&conversation)) return *text;
  if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&conversation)) return *ids;
  return to_json(conversation, 0, std::get<Messages>(conversation).size());
}

}  // namespace

PreferenceRow parse_preference_row(const Json& row, const ReaderOptions& options,
                                   std::string_view where) {
  if (!row.is_object())
    throw UserError("{}: expected a JSON object, got {}", where, row.type_name());
  PreferenceRow parsed = parse_form(row, options, where);
  parsed.template_variables = template_variables(row, where);
  parsed.margin = get_number(row, "margin", where);
  if (parsed.margin && parsed.conversations.size() != 2)
    throw UserError("{}: expected a pair", place_of(where, "margin"));
  if (const Json* id = find_member(row, "id")) parsed.id = *id;
  return parsed;
}

std::vector<std::string> preference_columns(const ReaderOptions& options) {
  std::vector<std::string> columns = {options.prompt_key, options.chosen_key, options.rejected_key};
  for (const char* key : {"prompt",     "chosen",     "rejected",       "input",
                          "system",     "context",    "completions",    "conversations",
                          "response_a", "response_b", "winner_model_a", "winner_model_b",
                          "winner_tie", "margin",     "tools",          "chat_template_kwargs",
                          "id",         "completion", "label",          "labels"}) {
    if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
  }
  for (const auto& [chosen, rejected] : kIdKeys) {
    columns.push_back(chosen);
    columns.push_back(rejected);
  }
  return columns;
}

Json to_json(const PreferenceRow& row, std::string_view source) {
  Json json = Json::object();
  if (!row.id.is_null()) json["id"] = row.id;
  json["source"] = source;
  if (row.conversations.size() == 2) {
    const bool ids = std::holds_alternative<std::vector<std::int32_t>>(row.conversations[0]);
    json[ids ? "chosen_ids" : "chosen"] = to_json(row.conversations[0]);
    json[ids ? "rejected_ids" : "rejected"] = to_json(row.conversations[1]);
  } else {
    json["context"] = to_json(row.conversations[0], 0, 1);
    Json& list = json["completions"] = Json::array();
    for (const Conversation& conversation : row.conversations) {
      list.push_back({{"rank", list.size()}, {"completion", to_json(conversation)}});
    }
  }
  if (row.margin) json["margin"] = *row.margin;
  for (const auto& [name, value] : row.template_variables.items()) {
    if (name == "tools") {
      json["tools"] = value;
    } else {
      json["chat_template_kwargs"][name] = value;
    }
  }
  return json;
}

}  // namespace laurel::data
