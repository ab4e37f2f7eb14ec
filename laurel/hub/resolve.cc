#include "laurel/hub/resolve.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <system_error>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"

namespace laurel::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPart = 96;
constexpr std::size_t kMaxRevision = 255;
constexpr std::size_t kCommitDigits = 40;
constexpr std::string_view kDefaultRevision = "main";

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
}

bool is_repo_part(std::string_view part) {
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && part.size() <= kMaxPart &&
         std::all_of(part.begin(), part.end(), is_plain) && !edge(part.front()) &&
         !edge(part.back()) && part.find("--") == part.npos && part.find("..") == part.npos &&
         !part.ends_with(".git");
}

bool is_repo_id(std::string_view id) {
  const std::size_t slash = id.find('/');
  if (slash == id.npos) return is_repo_part(id);
  return is_repo_part(id.substr(0, slash)) && is_repo_part(id.substr(slash + 1));
}

// Branches may hold slashes ("refs/pr/3"), but no part may lead elsewhere.
bool is_revision(std::string_view revision) {
  if (revision.empty() || revision.size() > kMaxRevision) return false;
  for (std::size_t begin = 0; begin <= revision.size();) {
    const std::size_t end = std::min(revision.find('/', begin), revision.size());
    const std::string_view part = revision.substr(begin, end - begin);
    if (part.empty() || part.front() == '.' || !std::all_of(part.begin(), part.end(), is_plain))
      return false;
    begin = end + 1;
  }
  return true;
}

bool is_commit(std::string_view text) {
  return text.size() == kCommitDigits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool directory_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

constexpr std::string_view kAdapterConfig = "adapter_config.json";

bool file_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// A kind of repository: the first part of its folder's name in the cache, and the word for people.
struct Kind {
  std::string_view folder;
  std::string_view noun;
};
constexpr Kind kModel = {"models--", "model"};
constexpr Kind kDataSet = {"datasets--", "data set"};

// "models--org--name"
std::string cache_folder(std::string id, const Kind& kind) {
  if (const std::size_t slash = id.find('/'); slash != id.npos) id.replace(slash, 1, "--");
  return std::string(kind.folder) + id;
}

std::string read_ref(const fs::path& path) {
  std::string text = read_file(path, 4096);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (!is_commit(text)) {
    throw UserError("{}: expected a commit of {} hexadecimal digits, got \"{}\"", path.string(),
                    kCommitDigits, text.substr(0, 60));
  }
  return text;
}

ResolvedModel resolve_in_cache(const RepoName& repo, const Kind& kind) {
  const fs::path folder = cache_directory() / cache_folder(repo.id, kind);
  const std::string place = fmt::format("{}@{}", repo.id, repo.revision);
  if (!directory_exists(folder)) {
    throw UserError(
        "{}: {} not found, expected a local directory of that name or {}; download it first", place,
        kind.noun, folder.string());
  }
  std::string commit = repo.revision;
  if (!is_commit(commit)) {
    const fs::path ref = folder / "refs" / repo.revision;
    if (!file_exists(ref)) {
      throw UserError("{}: revision not in the cache, expected {}; download it first", place,
                      ref.string());
    }
    commit = read_ref(ref);
  }
  const fs::path snapshot = folder / "snapshots" / commit;
  if (!directory_exists(snapshot)) {
    throw UserError("{}: files not in the cache, expected {}; download them first", place,
                    snapshot.string());
  }
  return {snapshot, repo.id, repo.revision, commit, {}};
}

ResolvedModel resolve(const std::string& name, const Kind& kind) {
  if (directory_exists(name)) return {name, name, "", "", {}};
  return resolve_in_cache(parse_repo_name(name), kind);
}

// Of the model that an adapter's configuration names.
fs::path base_directory(const fs::path& config) {
  const std::string where = config.string();
  const auto base = get_string(read_json_file(config), "base_model_name_or_path", where);
  if (!base) throw UserError("{}: expected base_model_name_or_path, got none", where);
  try {
    const ResolvedModel model = resolve(*base, kModel);
    if (!file_exists(model.directory / kAdapterConfig)) return model.directory;
  } catch (const UserError& error) {
    throw UserError("{}: base of the adapter: {}", where, error.what());
  }
  throw UserError("{}: base_model_name_or_path: expected a model, got an adapter, {}", where,
                  *base);
}

}  // namespace

RepoName parse_repo_name(std::string_view name) {
  const std::size_t at = name.find('@');
  RepoName repo{std::string(name.substr(0, at)),
                std::string(at == name.npos ? kDefaultRevision : name.substr(at + 1))};
  if (!is_repo_id(repo.id)) {
    throw UserError(
        "{}: no such directory and not a model name, expected a directory or org/name[@revision]",
        name.empty() ? "\"\"" : name);
  }
  if (!is_revision(repo.revision)) {
    throw UserError("{}: invalid revision \"{}\", expected a branch, tag or commit", repo.id,
                    repo.revision);
  }
  return repo;
}

fs::path cache_directory() {
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface" / "hub";
  }
  return fs::path(environment("HOME")) / ".cache" / "huggingface" / "hub";
}

ResolvedModel resolve_model(const std::string& name) {
  ResolvedModel model = resolve(name, kModel);
  if (!file_exists(model.directory / kAdapterConfig) ||
      file_exists(model.directory / "config.json"))
    return model;
  model.adapter = model.directory;
  model.directory = base_directory(model.adapter / kAdapterConfig);
  return model;
}

fs::path adapter_of(const ResolvedModel& model, const fs::path& given) {
  if (model.adapter.empty()) return given;
  if (given.empty()) return model.adapter;
  throw UserError("{}: an adapter itself, expected a model when option adapter is given",
                  model.name);
}

ResolvedModel resolve_data_set(const std::string& name) { return resolve(name, kDataSet); }

}  // namespace laurel::hub
