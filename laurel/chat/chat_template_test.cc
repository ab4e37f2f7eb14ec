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

std::string error_text(const std::string& source, const Json& variables = Json::object(),
                       const ChatTemplate::RenderOptions& options = {}) {
  try {
    ChatTemplate::parse(source, "t").render(variables, options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(ChatTemplate, ErrorsNameTemplateAndLine) {
  EXPECT_EQ(error_text("a\n{{ nope.x }}"), "t: line 2: 'nope' is undefined");
  EXPECT_EQ(error_text("{% if 1 %}\n\n{{ raise_exception('bad') }}{% endif %}"), "t: line 3: bad");
  EXPECT_EQ(error_text("a\nb\n{% if %}"), "t: line 3: expected an expression, got '%}'");
  EXPECT_EQ(error_text("{{ [].append(1) }}"),
            "t: line 1: attribute 'append' of a list must not be used in a template");
  EXPECT_EQ(error_text("\xff"), "t: invalid UTF-8 at byte 0");
  EXPECT_EQ(error_text("{% include 'x' %}"),
            "t: line 1: the statement 'include' is not supported in a chat template");
}

TEST(ChatTemplate, HostileTemplatesEndInAnError) {
  using testing::HasSubstr;
  ChatTemplate::RenderOptions small;
  small.max_output_bytes = 1 << 20;
  small.max_steps = 1'000'000;
  const auto error = [&](const std::string& source) {
    return error_text(source, Json::object(), small);
  };
  const std::string loop = "{% for i in range(100000) %}";
  EXPECT_THAT(error(loop + loop + "{% endfor %}{% endfor %}"), HasSubstr("too many steps"));
  EXPECT_THAT(error(loop + "{{ 'x' * 1000 }}{% endfor %}"), HasSubstr("too"));
  EXPECT_THAT(error("{{ 'x' * 1000000000000 }}"), HasSubstr("too much memory"));
  EXPECT_THAT(error("{{ [1] * 1000000000000 }}"), HasSubstr("too much memory"));
  EXPECT_THAT(error("{{ '%1000000000d' % 1 }}"), HasSubstr("asks for more than"));
  EXPECT_THAT(error("{{ '{:1000000000}'.format(1) }}"), HasSubstr("asks for more than"));
  EXPECT_THAT(error("{{ 'x'.center(1000000000000) }}"), HasSubstr("too much memory"));
  EXPECT_THAT(error("{{ 'x'|indent(1000000000000) }}"), HasSubstr("too much memory"));
  EXPECT_THAT(error("{{ [1]|tojson(indent=1000000000000) }}"), HasSubstr("too much memory"));
  EXPECT_THAT(error("{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(error("{{ " + repeated("-", 5000) + "1 }}"), HasSubstr("nested deeper"));
  EXPECT_THAT(error("{{ " + repeated("not ", 5000) + "1 }}"), HasSubstr("nested deeper"));
  EXPECT_THAT(error("{{ 1" + repeated("+1", 5000) + " }}"), HasSubstr("nested deeper"));
  EXPECT_THAT(error("{{ x" + repeated(".a", 5000) + " }}"), HasSubstr("nested deeper"));
  EXPECT_THAT(error(repeated("{% if 1 %}", 5000)), HasSubstr("nested deeper"));
  EXPECT_THAT(error("{% set " + repeated("(", 5000) + "a" + repeated(")", 5000) + " = 1 %}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr("nested deeper"));
  EXPECT_THAT(error("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"),
              HasSubstr("nested deeper"));
  EXPECT_THAT(
      error("{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
            "{% endfor %}{{ ns.a }}"),
      HasSubstr("too"));
  EXPECT_THAT(
      error(
          "{% set n = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
          "{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}"),
      HasSubstr("too many steps"));
  EXPECT_THAT(error("{{ 9223372036854775807 + 1 }}"), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(error("{{ 9223372036854775808 }}"), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(error_text("{{ x }}", {{"x", 18446744073709551615u}}),
              HasSubstr("does not fit 64 bits"));
  small.max_output_bytes = 10;
  EXPECT_EQ(error("12345678901"), "t: line 1: the text is too long, expected at most 10 bytes");
}

TEST(ChatTemplate, ReportsWhetherItPrintsTheDate) {
  EXPECT_FALSE(ChatTemplate::parse("{{ messages }}").uses_date());
  const ChatTemplate dated = ChatTemplate::parse("{% if 0 %}{{ strftime_now('%Y') }}{% endif %}");
  EXPECT_TRUE(dated.uses_date());
  EXPECT_EQ(dated.source(), "{% if 0 %}{{ strftime_now('%Y') }}{% endif %}");
}

// Real templates, where the developers' material is present.
TEST(ChatTemplate, AgreesOnRealTemplates) {
  const char* root = std::getenv("LAUREL_SHARED");
  const fs::path shared =
      root != nullptr ? fs::path(root) : fs::path(LAUREL_SOURCE_DIR) / "../shared";
  const fs::path folder = shared / "data/tokenizers/llama3";
  if (!fs::exists(folder / "template_cases.json")) GTEST_SKIP() << "no " << folder;
  for (const Json& one : read_json_file(folder / "template_cases.json")) {
    const Json config = read_json_file(folder / one["config"].get<std::string>());
    Json variables = {{"messages", one["messages"]},
                      {"tools", nullptr},
                      {"documents", nullptr},
                      {"add_generation_prompt", one["add_generation_prompt"]}};
    for (const char* role : {"bos_token", "eos_token", "pad_token"}) {
      if (!config.contains(role) || config[role].is_null()) continue;
      variables[role] = config[role].is_object() ? config[role]["content"] : config[role];
    }
    EXPECT_EQ(outcome(config["chat_template"].get<std::string>(), variables),
              one["text"].get<std::string>())
        << one["name"];
  }
}

}  // namespace
}  // namespace laurel::chat
