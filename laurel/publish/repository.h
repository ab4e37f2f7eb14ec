// A model repository on disk as the hub's clients keep it (the cache layout): files by content
// under blobs/, revisions as folders of links under snapshots/, names of revisions under refs/.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace laurel::publish {

// A file of a revision: the bytes of `source`, or `text` when `source` is empty.
struct RevisionFile {
  std::string path;  // within the revision, without folders
  std::filesystem::path source;
  std::string text;
};

// Names of revisions and the commits (40 hexadecimal digits) that they mean.
using Refs = std::map<std::string, std::string>;

class Repository {
 public:
  // `cache` is the folder that HF_HUB_CACHE would name; the repository is CACHE/models--org--name.
  // Nothing is made yet. Throws UserError for an invalid id.
  Repository(const std::filesystem::path& cache, const std::string& repo_id);

  const std::filesystem::path& folder() const { return folder_; }
  Refs refs() const;
  std::filesystem::path snapshot(const std::string& commit) const;

  // Adds a revision's files and returns its commit: the SHA-1 of "laurel revision 1\n" and of a
  // line "BLOB PATH\n" per file, by path. BLOB is what the hub names the content: its SHA-256 for
  // weights and files of 10 MiB or more, else git's SHA-1. A content is kept once; large files are
  // hard links to their sources where the file system allows, then clones, then copies. Every file
  // and folder appears whole. A revision that is there already is left as it is.
  std::string add_revision(const std::vector<RevisionFile>& files);

  // Adds or moves names, all in one step; other names stay.
  void set_refs(const Refs& changed);

 private:
  std::string add_blob(const RevisionFile& file);

  std::filesystem::path folder_;
};

}  // namespace laurel::publish
