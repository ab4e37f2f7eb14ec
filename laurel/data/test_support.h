// What the tests of this module share: a folder of files, a small checkpoint, token ids of texts.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "laurel/base/file.h"
#include "laurel/base/test_support.h"
#include "laurel/data/build.h"

namespace laurel::data {

namespace fs = std::filesystem;

// A folder that is removed after the test.
class Folder {
 public:
  Folder() : path_(fs::path(testing::TempDir()) / unique_name()) { fs::create_directories(path_); }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  std::string add(const std::string& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    write_file(path_ / name, text);
    return (path_ / name).string();
  }
  std::string add_rows(const std::string& name, const std::vector<Json>& rows) const {
    std::string text;
    for (const Json& row : rows) text += to_line(row) + "\n";
    return add(name, text);
  }

 private:
  static std::string unique_name() {
    static int count = 0;
    return fmt::format("laurel_data_{}_{}", getpid(), ++count);
  }
  fs::path path_;
};

// Refuses a conversation whose first message says "refuse me".
inline constexpr const char* kTemplate =
    "{% if messages[0].content == 'refuse me' %}{{ raise_exception('no such conversation') }}"
    "{% endif %}{% if tools %}{{ tools | tojson }}{% endif %}{% if tone %}[{{ tone }}]{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

// A checkpoint without weights, whose pad token is its eos token.
class Checkpoint : public Folder {
 public:
  explicit Checkpoint(std::string_view chat_template = kTemplate) {
    add("tokenizer.json",
        read_file(fs::path(LAUREL_SOURCE_DIR) / "tests/goldens/tokenizer/smollm2.tokenizer.json"));
    Json config = {
        {"bos_token", "<|im_start|>"}, {"eos_token", "<|im_end|>"}, {"pad_token", "<|im_end|>"}};
    if (!chat_template.empty()) config["chat_template"] = chat_template;
    add("tokenizer_config.json", to_line(config));
    add("config.json", R"({"pad_token_id": 2})");
  }
  chat::Encoder encoder() const { return load_training_encoder(path()); }
};

inline Json messages(const std::vector<std::pair<std::string, std::string>>& turns) {
  Json list = Json::array();
  for (const auto& [role, content] : turns) list.push_back({{"role", role}, {"content", content}});
  return list;
}

// {"chosen", "rejected"} with whole conversations.
inline Json pair_row(const std::string& prompt, const std::string& chosen,
                     const std::string& rejected) {
  return {{"chosen", messages({{"user", prompt}, {"assistant", chosen}})},
          {"rejected", messages({{"user", prompt}, {"assistant", rejected}})}};
}

inline BuildOptions mix_of(std::vector<std::string> entries) {
  BuildOptions options;
  options.mix = std::move(entries);
  return options;
}

inline TrainingSet build(const Checkpoint& model, const BuildOptions& options, int threads = 2) {
  ThreadPool pool(threads);
  return build_training_set(options, model.encoder(), pool);
}

inline std::vector<std::string> decoded(const Checkpoint& model, const TrainingExample& example) {
  const chat::Encoder encoder = model.encoder();
  std::vector<std::string> texts;
  for (const auto& ids : example.sequences) texts.push_back(encoder.tokenizer().decode(ids));
  return texts;
}

}  // namespace laurel::data
