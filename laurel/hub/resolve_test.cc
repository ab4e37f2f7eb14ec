#include "laurel/hub/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "laurel/base/error.h"
#include "laurel/base/file.h"

namespace laurel::hub {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

class ResolveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / fmt::format("laurel_hub_{}", ::getpid());
    fs::remove_all(root_);
    fs::create_directories(root_);
    for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) ::unsetenv(name);
    ::setenv("HOME", root_.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(root_); }

  // A cached snapshot under `cache`, with refs/main and refs/refs/pr/3 pointing to it.
  fs::path make_snapshot(const fs::path& cache, const std::string& folder) {
    const fs::path snapshot = cache / folder / "snapshots" / kCommit;
    fs::create_directories(snapshot);
    fs::create_directories(cache / folder / "refs" / "refs" / "pr");
    write_file(cache / folder / "refs" / "main", kCommit);
    write_file(cache / folder / "refs" / "refs" / "pr" / "3", kCommit + "\n");
    return snapshot;
  }

  std::string error_of(const std::string& name) {
    try {
      resolve_model(name);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path root_;
};

TEST_F(ResolveTest, LocalDirectoryComesFirst) {
  const ResolvedModel model = resolve_model(root_.string());
  EXPECT_EQ(model.directory, root_);
  EXPECT_EQ(model.revision, "");
  EXPECT_EQ(model.commit, "");
}

TEST_F(ResolveTest, AnAdapterLeadsToItsBase) {
  const fs::path adapter = root_ / "adapter", base = root_ / "base";
  fs::create_directories(adapter);
  const auto write = [&](const std::string& name) {
    write_file(adapter / "adapter_config.json",
               fmt::format("{{\"base_model_name_or_path\": \"{}\"}}", name));
  };
  const auto refusal = [&] {
    try {
      resolve_model(adapter);
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  write(base);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("adapter_config.json: base of the adapter"),
                               HasSubstr(base.string())));
  fs::create_directories(base);
  const ResolvedModel found = resolve_model(adapter);
  EXPECT_EQ(found.directory, base);
  EXPECT_EQ(found.adapter, adapter);
  EXPECT_EQ(found.name, adapter.string());
  EXPECT_EQ(adapter_of(found, ""), adapter);
  EXPECT_THROW(adapter_of(found, "other"), UserError);
  write(adapter);
  EXPECT_THAT(refusal(), HasSubstr("expected a model, got an adapter"));
  write_file(adapter / "adapter_config.json", "{}");
  EXPECT_THAT(refusal(), HasSubstr("expected base_model_name_or_path, got none"));
  write_file(adapter / "config.json", "{}");  // a model, whatever lies beside
  EXPECT_EQ(resolve_model(adapter).directory, adapter);
  EXPECT_TRUE(resolve_model(adapter).adapter.empty());
  EXPECT_EQ(adapter_of(resolve_model(adapter), "other"), "other");
}

TEST_F(ResolveTest, FindsCacheByEachVariable) {
  const fs::path places[] = {root_ / ".cache" / "huggingface" / "hub",
                             root_ / "xdg" / "huggingface" / "hub", root_ / "home" / "hub",
                             root_ / "hub"};
  for (const fs::path& place : places) make_snapshot(place, "models--org--name");
  EXPECT_EQ(cache_directory(), places[0]);
  ::setenv("XDG_CACHE_HOME", (root_ / "xdg").c_str(), 1);
  EXPECT_EQ(cache_directory(), places[1]);
  ::setenv("HF_HOME", (root_ / "home").c_str(), 1);
  EXPECT_EQ(cache_directory(), places[2]);
  ::setenv("HF_HUB_CACHE", (root_ / "hub").c_str(), 1);
  EXPECT_EQ(cache_directory(), places[3]);
  EXPECT_EQ(resolve_model("org/name").directory,
            places[3] / "models--org--name" / "snapshots" / kCommit);
}

TEST_F(ResolveTest, RevisionsAndCommits) {
  const fs::path snapshot = make_snapshot(cache_directory(), "models--org--name");
  for (const std::string& revision : {std::string("main"), std::string("refs/pr/3"), kCommit}) {
    const ResolvedModel model = resolve_model("org/name@" + revision);
    EXPECT_EQ(model.directory, snapshot) << revision;
    EXPECT_EQ(model.commit, kCommit);
    EXPECT_EQ(model.revision, revision);
    EXPECT_EQ(model.name, "org/name");
  }
  EXPECT_EQ(resolve_model("org/name").revision, "main");
}

TEST_F(ResolveTest, NameWithoutOrganization) {
  const fs::path snapshot = make_snapshot(cache_directory(), "models--gpt2");
  EXPECT_EQ(resolve_model("gpt2").directory, snapshot);
}

TEST_F(ResolveTest, ErrorsNameThePlaces) {
  const fs::path cache = cache_directory();
  EXPECT_THAT(error_of("org/name"), AllOf(HasSubstr("org/name@main: model not found"),
                                          HasSubstr((cache / "models--org--name").string())));
  make_snapshot(cache, "models--org--name");
  EXPECT_THAT(error_of("org/name@v2"),
              AllOf(HasSubstr("revision not in the cache"), HasSubstr("refs/v2")));
  const std::string other(40, 'a');
  EXPECT_THAT(error_of("org/name@" + other),
              AllOf(HasSubstr("files not in the cache"), HasSubstr("snapshots/" + other)));
  write_file(cache / "models--org--name" / "refs" / "bad", "../../etc");
  EXPECT_THAT(error_of("org/name@bad"),
              HasSubstr("expected a commit of 40 hexadecimal digits, got \"../../etc\""));
}

TEST_F(ResolveTest, RefusesNamesThatLeaveTheCache) {
  for (const std::string name :
       {"", "../x", "a/../b", "a/b/c", "/absolute/missing", "a/..", "org/na--me", "org/x.git",
        "org/na me", "org/", "/name", ".hidden/x", "org/-x"}) {
    EXPECT_THAT(error_of(name), HasSubstr("no such directory and not a model name")) << name;
  }
  EXPECT_THAT(error_of("org/" + std::string(97, 'x')), HasSubstr("not a model name"));
  for (const std::string& revision : std::vector<std::string>{"", "..", "a/../b", "/etc", "a//b",
                                                              "a/", ".", "a b", "a\\b", "a/.x"}) {
    EXPECT_THAT(error_of("org/name@" + revision), HasSubstr("invalid revision")) << revision;
  }
  EXPECT_THAT(error_of("org/name@" + std::string(256, 'r')), HasSubstr("invalid revision"));
}

}  // namespace
}  // namespace laurel::hub
