#include "laurel/publish/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/sha.h"
#include "laurel/base/test_support.h"
#include "laurel/formats/yaml.h"
#include "laurel/hub/resolve.h"
#include "laurel/schema/run_record.h"
#include "laurel/sweep/records.h"

namespace laurel::publish {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

const sweep::ProgramOptions kKnown = {{"learning-rate", "num-epochs", "seed"}, {"rule"}};

class PublishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / fmt::format("laurel_publish_{}", ::getpid());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path make_model(const fs::path& folder, const std::string& weights) const {
    fs::create_directories(folder);
    write_file(folder / "config.json", "{\"num_labels\": 1}");
    write_file(folder / "model.safetensors", weights);
    write_file(folder / "tokenizer.json", "{}");
    write_file(folder / "metrics.jsonl", "{}\n");
    return folder;
  }

  schema::RunRecord record(std::optional<double> score) const {
    schema::RunRecord record;
    record.status = schema::RunStatus::kFinished;
    record.options = {
        {"learning-rate", 3e-6}, {"num-epochs", 2}, {"seed", 1}, {"data", {"a.jsonl"}}};
    record.base.name = "org/base";
    record.base.revision = "main";
    record.base.license = "apache-2.0";
    record.data = {{"dir/a.jsonl", 12, "odc-by"}};
    record.steps = 6;
    if (!score) return record;
    schema::RunEvaluation evaluation;
    evaluation.benchmark = "reward-bench-2";
    for (const double overall : {0.125, *score}) {
      evaluation.step += 3;
      evaluation.overall = overall;
      evaluation.subsets = {{"Math", overall}};
      record.evaluations.push_back(evaluation);
    }
    return record;
  }

  fs::path make_run(const std::string& name, std::optional<double> score) const {
    const fs::path run = make_model(root_ / name, "weights of " + name);
    write_file(run / "run.json", to_text(to_json(record(score))));
    return run;
  }

  Repository repository() const { return Repository(root_ / "hub", "org/rm"); }

  std::vector<PublishedRevision> publish_runs(const std::vector<fs::path>& runs,
                                              const std::string& main = "best") const {
    Repository target = repository();
    return publish(read_family(runs, std::nullopt, kKnown), target, "org/rm", main);
  }

  std::map<std::string, std::string> run_by_revision(
      const std::vector<PublishedRevision>& published) const {
    std::map<std::string, std::string> runs;
    for (const auto& revision : published) runs[revision.revision] = revision.run;
    return runs;
  }

  std::string read(const std::string& revision, const std::string& file) const {
    return read_file(repository().snapshot(repository().refs().at(revision)) / file);
  }

  fs::path root_;
};

TEST_F(PublishTest, LayoutIsThatOfTheHubsCache) {
  const fs::path run = make_run("run", 0.5);
  publish_runs({run});
  ::setenv("HF_HUB_CACHE", (root_ / "hub").c_str(), 1);
  const hub::ResolvedModel found = hub::resolve_model("org/rm");
  ::unsetenv("HF_HUB_CACHE");
  EXPECT_EQ(read_file(found.directory / "model.safetensors"), "weights of run");
  Sha256 hash;
  hash.add("weights of run");
  EXPECT_EQ(fs::read_symlink(found.directory / "model.safetensors"),
            fs::path("../../blobs") / hash.digest());
  EXPECT_EQ(fs::read_symlink(found.directory / "tokenizer.json"),
            fs::path("../../blobs") / git_blob_name("{}"));
  EXPECT_FALSE(fs::exists(found.directory / "metrics.jsonl"));
  EXPECT_FALSE(fs::exists(found.directory / "run.json"));
  EXPECT_THAT(read_file(found.directory / "README.md"), HasSubstr("\n# rm\n"));
  struct stat status;
  ASSERT_EQ(::stat((run / "model.safetensors").c_str(), &status), 0);
  EXPECT_EQ(status.st_nlink, 2u);  // not copied
}

TEST_F(PublishTest, CommitIsTheHashOfTheStatedForm) {
  Repository target = repository();
  const std::string commit = target.add_revision({{"b.txt", {}, "B"}, {"a.txt", {}, "A"}});
  Sha1 hash;
  hash.add("laurel revision 1\n" + git_blob_name("A") + " a.txt\n" + git_blob_name("B") +
           " b.txt\n");
  EXPECT_EQ(commit, hash.digest());
  EXPECT_EQ(target.add_revision({{"a.txt", {}, "A"}, {"b.txt", {}, "B"}}), commit);
}

TEST_F(PublishTest, RefsChangeTogetherAndOthersStay) {
  Repository target = repository();
  const std::string one = target.add_revision({{"a", {}, "1"}});
  const std::string two = target.add_revision({{"a", {}, "2"}});
  target.set_refs({{"main", one}, {"pr/1", one}});
  target.set_refs({{"main", two}, {"1", one}});
  EXPECT_THAT(target.refs(), ElementsAre(Pair("1", one), Pair("main", two), Pair("pr/1", one)));
  EXPECT_FALSE(fs::exists(target.folder() / "refs.next"));
}

TEST_F(PublishTest, BestIsMainAndTheOthersAreNumberedAsGiven) {
  const auto published =
      publish_runs({make_run("c", 0.25), make_run("b", 0.5), make_run("a", 0.5)});
  EXPECT_THAT(run_by_revision(published),
              ElementsAre(Pair("1", "c"), Pair("2", "b"), Pair("main", "a")));
  EXPECT_EQ(read("1", "model.safetensors"), "weights of c");
  EXPECT_EQ(read("main", "model.safetensors"), "weights of a");
  EXPECT_THAT(
      read("main", "README.md"),
      AllOf(HasSubstr("| main | a.jsonl | 3e-6 | 2 | 50.0 | 50.0 |"),
            HasSubstr("| 1 | a.jsonl | 3e-6 | 2 | 25.0 | 25.0 |"), Not(HasSubstr("dir/a"))));
}

TEST_F(PublishTest, PublishingAgainChangesNothing) {
  const std::vector<fs::path> runs = {make_run("a", 0.5), make_run("b", 0.25)};
  publish_runs(runs);
  const Refs before = repository().refs();
  publish_runs(runs);
  EXPECT_EQ(repository().refs(), before);
}

// Numbers are promises: later runs never take them.
TEST_F(PublishTest, LaterRunsKeepEarlierRevisions) {
  publish_runs({make_run("a", 0.5), make_run("b", 0.25)});
  const std::string commit_of_1 = repository().refs().at("1");
  const auto published = publish_runs({make_run("c", 0.75), make_run("d", 0.125)});
  EXPECT_THAT(run_by_revision(published),
              ElementsAre(Pair("1", "b"), Pair("2", "d"), Pair("3", "a"), Pair("main", "c")));
  EXPECT_EQ(repository().refs().at("1"), commit_of_1);
  EXPECT_EQ(read("3", "model.safetensors"), "weights of a");
  EXPECT_FALSE(fs::exists(repository().snapshot(repository().refs().at("3")) / "README.md"));
  EXPECT_THAT(read("main", "README.md"), HasSubstr("| 3 | a.jsonl |"));
}

TEST_F(PublishTest, NumberedRunThatBecomesMainKeepsItsNumber) {
  const std::vector<fs::path> runs = {make_run("a", 0.5), make_run("b", 0.25)};
  publish_runs(runs);
  EXPECT_THAT(run_by_revision(publish_runs(runs, "b")),
              ElementsAre(Pair("1", "b"), Pair("2", "a"), Pair("main", "b")));
}

TEST_F(PublishTest, RetrainedRunMovesItsRevision) {
  publish_runs({make_run("a", 0.5), make_run("b", 0.25)});
  const std::string before = repository().refs().at("1");
  write_file(root_ / "b" / "model.safetensors", "other weights");
  publish_runs({root_ / "b"});
  EXPECT_EQ(read("1", "model.safetensors"), "other weights");
  EXPECT_EQ(read_file(repository().snapshot(before) / "model.safetensors"), "weights of b");
}

TEST_F(PublishTest, RefusesWhatCannotBeRankedOrFound) {
  const auto error_of = [&](const std::vector<fs::path>& runs, const std::string& main) {
    return error_text<UserError>([&] { publish_runs(runs, main); });
  };
  const fs::path scored = make_run("scored", 0.5), plain = make_run("plain", std::nullopt);
  EXPECT_THAT(error_of({scored, plain}, "best"), HasSubstr("plain: has no benchmark score"));
  EXPECT_THAT(error_of({scored}, "nobody"), HasSubstr("--main: no run nobody"));
  EXPECT_THAT(error_of({scored, scored}, "best"), HasSubstr("a second run of the name scored"));
  EXPECT_THAT(error_of({root_}, "best"), HasSubstr("expected the directory of a run"));
  fs::remove(plain / "model.safetensors");
  EXPECT_THAT(error_of({plain}, "plain"), HasSubstr("plain: no weights"));
  fs::remove(plain / "config.json");
  EXPECT_THAT(error_of({plain}, "plain"), HasSubstr("not finished"));
  EXPECT_FALSE(fs::exists(repository().folder() / "refs"));
  EXPECT_THAT(error_text<UserError>([&] { Repository(root_, "org/rm@2"); }), HasSubstr("org/rm@2"));
  Repository other = repository();
  other.set_refs({{"main", other.add_revision({{"a", {}, "1"}})}});
  EXPECT_THAT(error_of({scored}, "best"), HasSubstr("main has no laurel_revisions.json"));
}

TEST_F(PublishTest, MetadataDescribesRuns) {
  write_file(root_ / "family.yaml",
             "bases: {b: {model: org/base, title: Base, hub_name: org/base, license: mit}}\n"
             "mixes: {m: {data: a.jsonl, title: Pairs, datasets: org/pairs}}\n"
             "card: {language: en}\n");
  const Family family = read_family({make_run("a", 0.5)}, root_ / "family.yaml", kKnown);
  EXPECT_EQ(family.bases[0].license.license, "mit");
  EXPECT_EQ(family.mixes[0].title, "Pairs");
  EXPECT_EQ(family.candidates[0].facts.mix, "m");
  EXPECT_EQ(family.text.language[0], "en");
  const Family plain = read_family({root_ / "a"}, std::nullopt, kKnown);
  EXPECT_EQ(plain.bases[0].hub_name, "org/base");
  EXPECT_EQ(plain.bases[0].license.license, "apache-2.0");
  EXPECT_EQ(plain.mixes[0].license.license, "odc-by");
}

// A sweep stands for its finished points, with what its configuration says.
TEST_F(PublishTest, SweepIsItsFinishedPoints) {
  const fs::path folder = root_ / "sweep";
  fs::create_directories(folder);
  {
    sweep::Records records(folder, false);
    const Json json = formats::parse_yaml(
        "bases: {b: {model: dir/b, title: Base, license: mit}}\nmixes: {m: {data: a.jsonl}}\n"
        "grid: {learning-rate: [1e-5, 2e-5, 3e-5]}\n"
        "evaluate: {benchmark: reward-bench-2, title: RB, data: x.jsonl}\n",
        "x");
    records.synchronize(sweep::parse_sweep_config(json, kKnown, "x"), "linear");
    for (const double score : {0.25, 0.5}) {
      const std::string name = score == 0.25 ? "b-m-lr1e-5" : "b-m-lr2e-5";
      records.set_finished("train/" + name, 1);
      records.set_evaluated("evaluate/" + name, name, {score, {{"Math", score}}}, 1);
      make_model(folder / "runs" / name, name);
      write_file(folder / "runs" / name / "run.json", to_text(to_json(record(std::nullopt))));
    }
  }
  Repository target = repository();
  const Family family = read_family({folder}, std::nullopt, kKnown);
  EXPECT_THAT(run_by_revision(publish(family, target, "org/rm", "best")),
              ElementsAre(Pair("1", "b-m-lr1e-5"), Pair("main", "b-m-lr2e-5")));
  EXPECT_THAT(read("main", "README.md"), AllOf(HasSubstr("| main | m | 2e-5 | 2 | 50.0 | 50.0 |"),
                                               HasSubstr("license: mit"), HasSubstr("RB Score")));
}

}  // namespace
}  // namespace laurel::publish
