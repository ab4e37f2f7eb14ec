#include "laurel/tokenizer/post_processor.h"

#include <fmt/format.h>

#include <utility>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"
#include "laurel/tokenizer/section.h"

namespace laurel::tokenizer {
namespace {

TokenId read_id(const Json& value, const std::string& where) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > INT32_MAX) {
    throw UserError("{}: expected a token id, got {}", where, to_line(value).substr(0, 60));
  }
  return value.get<TokenId>();
}

// "sep" and "cls" of the BERT kinds: [text, id].
TokenId read_pair_id(const Json& section, std::string_view key, const std::string& where) {
  const Json& pair = require_array(section, key, where);
  if (pair.size() != 2) throw UserError("{}: key \"{}\": expected [token, id]", where, key);
  return read_id(pair[1], where);
}

std::vector<TokenId> read_special(const Json& section, const std::string& name,
                                  const std::string& where) {
  const Json& token = require(require(section, "special_tokens", where), name, where);
  std::vector<TokenId> ids;
  for (const Json& id : require_array(token, "ids", where)) ids.push_back(read_id(id, where));
  return ids;
}

}  // namespace

PostProcessor::PostProcessor(const Json& section, const std::string& where) {
  if (!section.is_null()) read(section, where);
  if (parts_.empty()) parts_.push_back({});
}

PostProcessor::PostProcessor(std::vector<TokenId> before, std::vector<TokenId> behind)
    : parts_{{false, std::move(before)}, {}, {false, std::move(behind)}} {}

void PostProcessor::read(const Json& section, const std::string& where) {
  const std::string type = type_of(section, where);
  if (type == "ByteLevel") return;  // moves offsets only
  if (type == "Sequence") {
    std::size_t i = 0;
    for (const Json& part : require_array(section, "processors", where)) {
      read(part, fmt::format("{}[{}]", where, i++));
    }
    return;
  }
  if (!parts_.empty()) {
    throw UserError("{}: a second processor that adds tokens is not supported, got \"{}\"", where,
                    type);
  }
  if (type == "TemplateProcessing") {
    read_template(section, where);
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    const TokenId before = read_pair_id(section, "cls", where),
                  behind = read_pair_id(section, "sep", where);
    *this = PostProcessor(std::vector<TokenId>{before}, std::vector<TokenId>{behind});
  } else {
    refuse_type(type, "ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, Sequence",
                where);
  }
}

void PostProcessor::read_template(const Json& section, const std::string& where) {
  for (const Json& piece : require_array(section, "single", where)) {
    if (piece.is_object() && piece.contains("SpecialToken")) {
      const std::string name = require_string(piece["SpecialToken"], "id", where);
      parts_.push_back({false, read_special(section, name, where)});
      continue;
    }
    const std::string name = require_string(require(piece, "Sequence", where), "id", where);
    if (name != "A")
      throw UserError("{}: a template of one sequence: expected sequence A, got \"{}\"", where,
                      name);
    parts_.push_back({});
  }
  if (parts_.empty()) throw UserError("{}: the template is empty", where);
}

std::vector<TokenId> PostProcessor::process(std::vector<TokenId> ids,
                                            bool add_special_tokens) const {
  if (parts_.size() == 1 && parts_[0].is_sequence) return ids;
  std::vector<TokenId> result;
  for (const Part& part : parts_) {
    if (!part.is_sequence && !add_special_tokens) continue;
    const std::vector<TokenId>& source = part.is_sequence ? ids : part.special;
    result.insert(result.end(), source.begin(), source.end());
  }
  return result;
}

}  // namespace laurel::tokenizer
