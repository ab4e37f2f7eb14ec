// Chat templates against jinja2: every file of tests/cases/chat_templates is a list of cases made
// by tools/goldens/chat_templates.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "laurel/base/file.h"
#include "laurel/chat/chat_template.h"
#include "laurel/chat/jinja/problem.h"

namespace laurel::chat {
namespace {

namespace fs = std::filesystem;

std::string_view kind_name(jinja::ErrorKind kind) {
  switch (kind) {
    case jinja::ErrorKind::kSyntax:
      return "syntax";
    case jinja::ErrorKind::kRaised:
      return "raised";
    case jinja::ErrorKind::kUndefined:
      return "undefined";
    case jinja::ErrorKind::kSecurity:
      return "security";
    case jinja::ErrorKind::kRuntime:
      return "runtime";
    case jinja::ErrorKind::kLimit:
      return "limit";
  }
  return "?";
}

// The text, or "error: <kind>".
std::string outcome(const std::string& source, const Json& variables,
                    std::string* message = nullptr) {
  try {
    return ChatTemplate::parse(source).render(variables);
  } catch (const jinja::TemplateError& error) {
    if (message != nullptr) *message = error.what();
    return fmt::format("error: {}", kind_name(error.kind()));
  }
}

std::vector<fs::path> case_files() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::directory_iterator(fs::path(LAUREL_SOURCE_DIR) / "tests/cases/chat_templates")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  return files;
}

TEST(ChatTemplate, AgreesWithJinja2OnAllCases) {
  std::size_t num_cases = 0;
  for (const fs::path& file : case_files()) {
    const Json cases = read_json_file(file);
    const Json shared = cases.value("variables", Json::object());
    for (const Json& one : cases.at("cases")) {
      ++num_cases;
      Json variables = shared;
      variables.update(one.value("variables", Json::object()));
      const std::string source =
          one.contains("template")
              ? one["template"].get<std::string>()
              : cases.at("templates").at(one.at("use").get<std::string>()).get<std::string>();
      const std::string expected = one.contains("error")
                                       ? "error: " + one["error"].get<std::string>()
                                       : one.at("text").get<std::string>();
      std::string message;
      EXPECT_EQ(outcome(source, variables, &message), expected)
          << file.filename() << ": " << one.value("name", source) << "\n"
          << source << "\n"
          << message;
    }
  }
  EXPECT_GT(num_cases, 500u);
}

}  // namespace
}  // namespace laurel::chat
