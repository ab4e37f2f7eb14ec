#include "laurel/tokenizer/tokenizer_file.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <string>

#include "laurel/base/checked.h"
#include "laurel/base/error.h"

namespace laurel::tokenizer {
namespace {

namespace ondemand = simdjson::ondemand;

// Bytes of the file per token, for the first guess of the vocabulary's size.
constexpr std::size_t kBytesPerToken = 64;

TokenId read_id(ondemand::value value, std::string_view token, std::string_view where) {
  std::uint64_t id = 0;
  if (value.get_uint64().get(id) != simdjson::SUCCESS || id > INT32_MAX) {
    throw UserError("{}: model: vocab: token \"{}\": expected an id from 0 to {}", where, token,
                    INT32_MAX);
  }
  return static_cast<TokenId>(id);
}

void read_vocab(ondemand::object object, Vocabulary& vocabulary, std::string_view where) {
  for (auto field : object) {
    const std::string_view token = field.unescaped_key();
    vocabulary.set(token, read_id(field.value(), token, where));
  }
  vocabulary.index_ids();
}

void add_merge(std::string_view left, std::string_view right, BpeConfig& config) {
  config.merges.push_back({checked_cast<std::uint32_t>(config.merge_text.size(), "merges"),
                           static_cast<std::uint32_t>(left.size()),
                           static_cast<std::uint32_t>(right.size())});
  config.merge_text += left;
  config.merge_text += right;
}

// "left right", the form of older files.
void add_merge_line(std::string_view line, BpeConfig& config, std::string_view where) {
  if (line.starts_with("#version")) return;
  const std::size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos) {
    throw UserError(
        "{}: model: merge {}: expected two tokens with one space between them, got \"{}\"", where,
        config.merges.size(), line);
  }
  add_merge(line.substr(0, space), line.substr(space + 1), config);
}

void add_merge_pair(ondemand::array pair, BpeConfig& config, std::string_view where) {
  std::string_view parts[2];
  std::size_t count = 0;
  for (auto part : pair) {
    const std::string_view text = part.get_string();
    if (count < 2) parts[count] = text;
    ++count;
  }
  if (count != 2) {
    throw UserError("{}: model: merge {}: expected two tokens, got {}", where, config.merges.size(),
                    count);
  }
  add_merge(parts[0], parts[1], config);
}

void read_merges(ondemand::array merges, BpeConfig& config, std::string_view where) {
  for (simdjson::simdjson_result<ondemand::value> element : merges) {
    ondemand::value merge = element.value();
    if (merge.type() == ondemand::json_type::string) {
      add_merge_line(merge.get_string(), config, where);
    } else {
      add_merge_pair(merge.get_array(), config, where);
    }
  }
}

Json read_json(ondemand::value value, std::string_view where) {
  const std::string_view text = simdjson::to_json_string(value);
  return parse_json(text, where);
}

void refuse_affix(const Json& options, std::string_view key, std::string_view where) {
  if (!get_string(options, key, where).value_or("").empty()) {
    throw UserError("{}: key \"{}\" is not supported, expected null or an empty string", where,
                    key);
  }
}

// The small members of the model.
void read_options(const Json& options, BpeConfig& config, const std::string& where) {
  if (get_number(options, "dropout", where).value_or(0) != 0) {
    throw UserError("{}: key \"dropout\" is not supported, expected null or 0", where);
  }
  refuse_affix(options, "continuing_subword_prefix", where);
  refuse_affix(options, "end_of_word_suffix", where);
  config.unk_token = get_string(options, "unk_token", where);
  config.fuse_unk = get_bool(options, "fuse_unk", where).value_or(false);
  config.byte_fallback = get_bool(options, "byte_fallback", where).value_or(false);
  config.ignore_merges = get_bool(options, "ignore_merges", where).value_or(false);
}

void check_type(ondemand::object& model, std::string_view where) {
  std::string_view type = "BPE";
  const auto error = model.find_field_unordered("type").get_string().get(type);
  if (error != simdjson::NO_SUCH_FIELD && (error != simdjson::SUCCESS || type != "BPE")) {
    throw UserError("{}: model: type \"{}\" is not supported, expected \"BPE\"", where,
                    error ? "" : type);
  }
  model.reset();
}

BpeConfig read_model(ondemand::object model, std::size_t file_size, std::string_view where) {
  check_type(model, where);
  BpeConfig config;
  bool has_vocab = false, has_merges = false;
  Json options = Json::object();
  for (auto field : model) {
    const std::string key(std::string_view(field.unescaped_key()));
    if (key == "vocab") {
      config.vocabulary.reserve(file_size / kBytesPerToken, file_size / 8);
      read_vocab(field.value().get_object(), config.vocabulary, where);
      has_vocab = true;
    } else if (key == "merges") {
      config.merge_text.reserve(file_size / 4);
      read_merges(field.value().get_array(), config, where);
      has_merges = true;
    } else {
      options[key] = read_json(field.value(), where);
    }
  }
  if (!has_vocab || !has_merges) {
    throw UserError("{}: model: key \"{}\" is missing", where, has_vocab ? "merges" : "vocab");
  }
  read_options(options, config, fmt::format("{}: model", where));
  return config;
}

Json* find_section(TokenizerFile& file, std::string_view key) {
  if (key == "added_tokens") return &file.added_tokens;
  if (key == "normalizer") return &file.normalizer;
  if (key == "pre_tokenizer") return &file.pre_tokenizer;
  if (key == "post_processor") return &file.post_processor;
  if (key == "decoder") return &file.decoder;
  if (key == "padding") return &file.padding;
  return nullptr;
}

}  // namespace

TokenizerFile read_tokenizer_file(std::string_view text, std::string_view where) {
  try {
    const simdjson::padded_string padded(text);
    ondemand::parser parser;
    ondemand::document document = parser.iterate(padded);
    TokenizerFile file;
    bool has_model = false;
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "model") {
        file.model = read_model(field.value().get_object(), text.size(), where);
        has_model = true;
      } else if (Json* section = find_section(file, key)) {
        *section = read_json(field.value(), where);
      }
    }
    if (!has_model) throw UserError("{}: key \"model\" is missing", where);
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      throw UserError("{}: invalid JSON: something follows the end", where);
    }
    return file;
  } catch (const simdjson::simdjson_error& error) {
    throw UserError("{}: invalid JSON: {}", where, error.what());
  }
}

}  // namespace laurel::tokenizer
