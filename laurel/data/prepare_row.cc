#include "laurel/data/prepare_row.h"

#include <algorithm>
#include <utility>

#include "laurel/base/error.h"

namespace laurel::data {
namespace {

using schema::Conversation;
using schema::Message;
using schema::Messages;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

bool has_empty_answer(const Conversation& conversation) {
  if (const auto* text = std::get_if<std::string>(&conversation)) return is_blank(*text);
  const auto* messages = std::get_if<Messages>(&conversation);
  if (messages == nullptr) return false;
  const Message& answer = messages->back();
  const bool calls_tools = answer.extra.contains("tool_calls") &&
                           !answer.extra["tool_calls"].is_null();  // Parquet has null for none
  return is_blank(answer.content) && !calls_tools;
}

bool same_message(const Message& a, const Message& b) {
  return a.role == b.role && a.content == b.content && a.extra == b.extra;
}

bool same_prompt(const Conversation& a, const Conversation& b) {
  const auto* left = std::get_if<Messages>(&a);
  const auto* right = std::get_if<Messages>(&b);
  if (left == nullptr || right == nullptr) return true;  // unknown
  return left->size() == right->size() &&
         std::equal(left->begin(), left->end() - 1, right->begin(), same_message);
}

bool same_conversation(const Conversation& a, const Conversation& b) {
  if (const auto* left = std::get_if<Messages>(&a)) {
    const auto* right = std::get_if<Messages>(&b);
    return right != nullptr &&
           std::equal(left->begin(), left->end(), right->begin(), right->end(), same_message);
  }
  return a.index() == b.index() && (std::holds_alternative<std::string>(a)
                                        ? std::get<std::string>(a) == std::get<std::string>(b)
                                        : std::get<2>(a) == std::get<2>(b));
}

// Whether any two are the same by this measure.
template <typename T, typename Same>
bool any_same(const std::vector<T>& items, const Same& same) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (same(items[i], items[j])) return true;
    }
  }
  return false;
}

}  // namespace

std::string_view to_string(Drop drop) {
  switch (drop) {
    case Drop::kNone:
      return "none";
    case Drop::kTie:
      return "tie";
    case Drop::kEmptyAnswer:
      return "empty answer";
    case Drop::kIdentical:
      return "identical completions";
    case Drop::kContaminated:
      return "contaminated";
    case Drop::kTemplate:
      return "refused by the template";
    case Drop::kPromptTooLong:
      return "prompt too long";
    case Drop::kTooLong:
      return "too long";
  }
  throw InternalError("unknown reason for dropping a row");
}

RowPreparer::RowPreparer(const ReaderOptions& reader, const FilterOptions& filters,
                         const ContaminationIndex& benchmarks, const chat::Encoder* encoder,
                         std::int64_t vocab_size)
    : reader_(reader),
      filters_(filters),
      benchmarks_(benchmarks),
      encoder_(encoder),
      vocab_size_(vocab_size) {}

PreparedRow RowPreparer::prepare(const Json& row, std::string_view where) const {
  PreparedRow prepared;
  prepared.row = parse_preference_row(row, reader_, where);
  filter(prepared, where);
  if (prepared.drop == Drop::kNone && encoder_ != nullptr) encode(prepared, where);
  if (prepared.drop != Drop::kNone) prepared.sequences.clear();
  return prepared;
}

void RowPreparer::filter(PreparedRow& prepared, std::string_view where) const {
  const std::vector<Conversation>& conversations = prepared.row.conversations;
  prepared.prompts_differ =
      !std::all_of(conversations.begin() + 1, conversations.end(),
                   [&](const Conversation& other) { return same_prompt(conversations[0], other); });
  if (prepared.row.tie) {
    prepared.drop = Drop::kTie;
  } else if (std::any_of(conversations.begin(), conversations.end(), has_empty_answer)) {
    prepared.drop = Drop::kEmptyAnswer;
  } else if (any_same(conversations, same_conversation)) {
    prepared.drop = Drop::kIdentical;
  } else if (!benchmarks_.empty()) {
    if (conversations[0].index() == 2) {
      throw UserError("{}: token ids cannot be compared with a benchmark's prompts", where);
    }
    for (const Conversation& conversation : conversations) {
      const auto found = benchmarks_.find(prompt_text(conversation));
      if (!found) continue;
      prepared.drop = Drop::kContaminated;
      prepared.reason = *found;
      break;
    }
  }
}

void RowPreparer::encode(PreparedRow& prepared, std::string_view where) const {
  std::size_t longest = 0;
  for (const Conversation& conversation : prepared.row.conversations) {
    if (conversation.index() == 0 && encoder_->rule().template_source.empty()) {
      throw UserError(
          "{}: the checkpoint has no chat template for messages; --chat-template FILE gives one",
          where);
    }
    if (const auto* ids = std::get_if<std::vector<std::int32_t>>(&conversation))
      check_ids(*ids, where);
    auto encoded = encode(conversation, prepared.row.template_variables);
    if (!encoded.ok()) {
      prepared.drop = Drop::kTemplate;
      prepared.reason = encoded.message();
      return;
    }
    std::vector<std::int32_t>& ids = encoded.value().ids;
    ids.resize(static_cast<std::size_t>(encoded.value().scored_index) + 1);
    longest = std::max(longest, ids.size());
    prepared.sequences.push_back(std::move(ids));
  }
  if (any_same(prepared.sequences, std::equal_to<>())) {
    prepared.drop = Drop::kIdentical;
    return;
  }
  if (filters_.max_prompt_length > 0) {
    const Result<std::int64_t> length = prompt_length(prepared);
    if (!length.ok()) {
      prepared.drop = Drop::kTemplate;
      prepared.reason = length.message();
      return;
    }
    if (length.value() > filters_.max_prompt_length) prepared.drop = Drop::kPromptTooLong;
  }
  const auto limit = static_cast<std::size_t>(filters_.max_length);
  if (prepared.drop == Drop::kNone && limit > 0 && longest > limit) prepared.drop = Drop::kTooLong;
}

Result<chat::Encoded> RowPreparer::encode(const Conversation& conversation,
                                          const Json& variables) const {
  if (const auto* messages = std::get_if<Messages>(&conversation))
    return encoder_->encode(*messages, variables);
  if (const auto* text = std::get_if<std::string>(&conversation)) {
    const auto& eos = encoder_->tokenizer().special_token("eos_token");
    return encoder_->encode_text(eos && !text->ends_with(*eos) ? *text + *eos : *text);
  }
  return encoder_->encode_ids(std::get<std::vector<std::int32_t>>(conversation));
}

// Tokens of the template with all messages but the last and the generation prompt, as
// open-instruct counts them; of text and ids, whose prompt is not marked, what the completions
// share.
Result<std::int64_t> RowPreparer::prompt_length(const PreparedRow& prepared) const {
  const auto* messages = std::get_if<Messages>(&prepared.row.conversations[0]);
  if (messages == nullptr) return shared_prefix(prepared.sequences);
  if (messages->size() == 1) return std::int64_t{0};
  Json variables = prepared.row.template_variables;
  variables["add_generation_prompt"] = true;
  const auto encoded =
      encoder_->encode(Messages(messages->begin(), messages->end() - 1), variables);
  if (!encoded.ok()) return Failure{encoded.message()};
  return static_cast<std::int64_t>(encoded.value().ids.size());
}

void RowPreparer::check_ids(const std::vector<std::int32_t>& ids, std::string_view where) const {
  for (const std::int32_t id : ids) {
    if (id >= vocab_size_) {
      throw UserError("{}: token id {} is outside the model's vocabulary of {}", where, id,
                      vocab_size_);
    }
  }
}

std::int64_t shared_prefix(const std::vector<std::vector<std::int32_t>>& sequences) {
  std::size_t shared = sequences.empty() ? 0 : sequences[0].size();
  for (const std::vector<std::int32_t>& other : sequences) {
    const auto end = sequences[0].begin() + static_cast<std::ptrdiff_t>(shared);
    const auto [first, second] =
        std::mismatch(sequences[0].begin(), end, other.begin(), other.end());
    shared = static_cast<std::size_t>(first - sequences[0].begin());
  }
  return static_cast<std::int64_t>(shared);
}

}  // namespace laurel::data
