// From a model's name to its local files. Offline: nothing is downloaded.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace laurel::hub {

struct ResolvedModel {
  std::filesystem::path directory;
  std::string name;      // as given, without the revision
  std::string revision;  // as given; "main" when a hub name has none; empty for a local directory
  std::string commit;    // 40 hexadecimal digits, when known; empty for a local directory
  // Where the name is that of a PEFT adapter: its directory, to be merged into `directory`, which
  // is then its base's; name, revision and commit are the adapter's.
  std::filesystem::path adapter;
};

// A repository on the hub, and a revision of it.
struct RepoName {
  std::string id;  // "org/name" or "name"
  std::string revision;
};

// Splits "org/name[@revision]". Throws UserError for what the hub does not allow as a name (parts
// of letters, digits,
// '_', '-', '.', at most 96 characters, without "--" or "..") and for a revision that would leave
// its folder.
RepoName parse_repo_name(std::string_view name);

// $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
// ~/.cache/huggingface/hub.
std::filesystem::path cache_directory();

// `name` is a local directory, or a hub name looked up in the Hugging Face cache: a full 40-digit
// commit in snapshots/, any other revision through refs/. Throws UserError naming the places that
// were looked at. A directory with adapter_config.json and no config.json is an adapter: its base
// is resolved too, by the name that is written there.
ResolvedModel resolve_model(const std::string& name);
// The adapter to merge: the model's own, or the one that was given beside it; empty for none.
// Throws UserError if there are both.
std::filesystem::path adapter_of(const ResolvedModel& model, const std::filesystem::path& given);
// The same for a data set.
ResolvedModel resolve_data_set(const std::string& name);

}  // namespace laurel::hub
