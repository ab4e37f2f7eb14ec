// laurel publish, laurel card: trained models as a repository that hub clients read, and its
// README.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/cli/app.h"
#include "laurel/cli/commands.h"
#include "laurel/cli/sweep_options.h"
#include "laurel/publish/publish.h"
#include "laurel/report/model_card.h"

namespace laurel::cli {
namespace {

namespace fs = std::filesystem;

struct FamilyOptions {
  std::vector<std::string> paths;
  std::string repo_id;
  std::string main = "best";
  std::string metadata;
};

// The name of the first directory, without an organization.
std::string repo_id_of(const FamilyOptions& options) {
  if (!options.repo_id.empty()) return options.repo_id;
  std::error_code error;
  const fs::path path = fs::canonical(options.paths[0], error);
  if (error) throw UserError("{}: no such directory", options.paths[0]);
  return path.filename().string();
}

publish::Family read_family(const FamilyOptions& options, const CLI::App& app) {
  std::optional<fs::path> metadata;
  if (!options.metadata.empty()) metadata = options.metadata;
  const std::vector<fs::path> paths(options.paths.begin(), options.paths.end());
  return publish::read_family(paths, metadata, program_options(app));
}

void run_publish(const FamilyOptions& options, const std::string& to, const CLI::App& app) {
  const std::string repo_id = repo_id_of(options);
  publish::Repository repository(to, repo_id);
  const publish::Family family = read_family(options, app);
  const auto published = publish::publish(family, repository, repo_id, options.main);
  for (const publish::PublishedRevision& revision : published) {
    fmt::print("{}@{}  {}  {}\n", repo_id, revision.revision, revision.commit, revision.run);
  }
  fmt::print(stderr, "{}: {} revisions; set HF_HUB_CACHE={} to load them\n",
             repository.folder().string(), published.size(), to);
}

// The repository that a path stands for: itself, or the only one (or the named one) of a cache.
std::optional<schema::ModelCard> published_card(const fs::path& path, const std::string& repo_id) {
  const auto id_of = [](const fs::path& folder) {
    std::string id = folder.filename().string().substr(std::string("models--").size());
    if (const std::size_t dashes = id.find("--"); dashes != id.npos) id.replace(dashes, 2, "/");
    return id;
  };
  const auto is_repository = [](const fs::path& folder) {
    return folder.filename().string().starts_with("models--") && fs::exists(folder / "refs");
  };
  std::error_code error;
  fs::path folder = fs::canonical(path, error);
  if (error) throw UserError("{}: no such directory", path.string());
  if (is_repository(folder)) {
    return publish::read_published_card(publish::Repository(folder.parent_path(), id_of(folder)));
  }
  std::vector<std::string> ids;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_repository(entry.path())) ids.push_back(id_of(entry.path()));
  }
  if (ids.empty()) return std::nullopt;
  if (repo_id.empty() && ids.size() > 1) {
    throw UserError("{}: holds {} repositories, expected --repo-id, such as {}", path.string(),
                    ids.size(), ids[0]);
  }
  return publish::read_published_card(
      publish::Repository(folder, repo_id.empty() ? ids[0] : repo_id));
}

void run_card(const FamilyOptions& options, const std::string& output, const CLI::App& app) {
  std::optional<schema::ModelCard> card;
  if (options.paths.size() == 1) card = published_card(options.paths[0], options.repo_id);
  if (!card) {
    card = publish::arrange(read_family(options, app), repo_id_of(options), options.main,
                            std::nullopt);
  }
  const std::string text = report::model_card(*card);
  if (output == "-") {
    fmt::print("{}", text);
  } else {
    write_file(output, text);
  }
}

void add_family_options(CLI::App& command, FamilyOptions& options, const std::string& what) {
  command.add_option("runs", options.paths, what)->required()->type_name("DIR");
  command
      .add_option("--repo-id", options.repo_id,
                  "The repository's name, org/name (default: the first directory's name)")
      ->type_name("NAME");
  command
      .add_option("--main", options.main,
                  "What main is: best (by benchmark score, ties by name), or the name of a run")
      ->type_name("RUN")
      ->capture_default_str();
  command
      .add_option("--metadata", options.metadata,
                  "Licenses, terms and titles: a file with the parts of sweep.yaml")
      ->type_name("FILE");
}

}  // namespace

void add_publish(CLI::App& app) {
  auto options = std::make_shared<FamilyOptions>();
  auto to = std::make_shared<std::string>();
  CLI::App& command =
      add_command(app, "publish", "Make trained models revisions of a repository on disk", "Train",
                  "laurel publish sweep --to hub --repo-id org/name");
  add_family_options(command, *options, "Runs of laurel train, or sweeps (their finished points)");
  command.add_option("--to", *to, "Folder of the repository, as HF_HUB_CACHE names it")
      ->required()
      ->type_name("DIR");
  command.callback([options, to, &app] { run_publish(*options, *to, app); });
}

void add_card(CLI::App& app) {
  auto options = std::make_shared<FamilyOptions>();
  auto output = std::make_shared<std::string>("-");
  CLI::App& command = add_command(app, "card", "Write the model card of a repository or of runs",
                                  "Train", "laurel card hub --output README.md");
  add_family_options(command, *options, "A repository that laurel published, or runs, or sweeps");
  command.add_option("--output", *output, "The card; - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
  command.callback([options, output, &app] { run_card(*options, *output, app); });
}

}  // namespace laurel::cli
