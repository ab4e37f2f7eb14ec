#include "laurel/publish/repository.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>  // renameat2
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/sha.h"
#include "laurel/hub/resolve.h"

namespace laurel::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargeBytes = 10 << 20;

bool is_weights(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".bin") || name.ends_with(".gguf");
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string blob_name(const std::string& path, std::string_view bytes) {
  if (!is_weights(path) && bytes.size() < kLargeBytes) return git_blob_name(bytes);
  Sha256 hash;
  hash.add(bytes);
  return hash.digest();
}

// Shares the source's blocks on disk; false where the file system cannot.
bool clone(const fs::path& source, const fs::path& target) {
  const int from = ::open(source.c_str(), O_RDONLY | O_CLOEXEC);
  const int to = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool done = from >= 0 && to >= 0 && ::ioctl(to, FICLONE, from) == 0;
  if (from >= 0) ::close(from);
  if (to >= 0) ::close(to);
  return done;
}

// The same bytes under another name, without a second copy where possible.
void link_or_copy(const fs::path& source, const fs::path& target) {
  std::error_code error;
  const fs::path real = fs::canonical(source, error);  // a link to a link would not be the bytes
  if (error) throw IoError("{}: cannot read: {}", source.string(), error.message());
  fs::remove(target, error);
  if (::link(real.c_str(), target.c_str()) == 0 || clone(real, target)) return;
  if (!fs::copy_file(real, target, fs::copy_options::overwrite_existing, error)) {
    throw IoError("{}: cannot copy to {}: {}", source.string(), target.string(), error.message());
  }
}

void rename_over(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw IoError("{}: cannot rename: {}", to.string(), error.message());
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

}  // namespace

Repository::Repository(const fs::path& cache, const std::string& repo_id) {
  if (hub::parse_repo_name(repo_id).id != repo_id) {
    throw UserError("{}: expected a repository's name without revision, org/name", repo_id);
  }
  std::string name = repo_id;
  if (const std::size_t slash = name.find('/'); slash != name.npos) name.replace(slash, 1, "--");
  folder_ = cache / ("models--" + name);
}

fs::path Repository::snapshot(const std::string& commit) const {
  return folder_ / "snapshots" / commit;
}

Refs Repository::refs() const {
  Refs refs;
  const fs::path folder = folder_ / "refs";
  if (!fs::is_directory(folder)) return refs;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    refs[entry.path().lexically_relative(folder).string()] = trimmed(read_file(entry.path(), 4096));
  }
  return refs;
}

std::string Repository::add_blob(const RevisionFile& file) {
  const fs::path blobs = folder_ / "blobs";
  if (file.source.empty()) {
    const std::string name = blob_name(file.path, file.text);
    if (!fs::exists(blobs / name)) write_file(blobs / name, file.text);
    return name;
  }
  // Hashed under its new name, so that the name fits whatever happens to the source meanwhile.
  const fs::path incoming = blobs / fmt::format("{}-{}.incomplete", file.path, ::getpid());
  link_or_copy(file.source, incoming);
  const std::string name = blob_name(file.path, text_of(MappedFile(incoming)));
  if (fs::exists(blobs / name)) {
    fs::remove(incoming);
  } else {
    rename_over(incoming, blobs / name);
  }
  return name;
}

std::string Repository::add_revision(const std::vector<RevisionFile>& files) {
  fs::create_directories(folder_ / "blobs");
  std::map<std::string, std::string> blobs;  // by path
  for (const RevisionFile& file : files) blobs[file.path] = add_blob(file);
  Sha1 hash;
  hash.add("laurel revision 1\n");
  for (const auto& [path, blob] : blobs) hash.add(fmt::format("{} {}\n", blob, path));
  const std::string commit = hash.digest();
  if (fs::exists(snapshot(commit))) return commit;
  AtomicDirectory directory(snapshot(commit));
  for (const auto& [path, blob] : blobs) {
    fs::create_symlink(fs::path("../../blobs") / blob, directory.staging() / path);
  }
  directory.commit();
  return commit;
}

void Repository::set_refs(const Refs& changed) {
  Refs all = refs();
  for (const auto& [name, commit] : changed) all[name] = commit;
  const fs::path current = folder_ / "refs";
  const fs::path next = folder_ / "refs.next";
  fs::remove_all(next);
  AtomicDirectory directory(next);
  for (const auto& [name, commit] : all) {
    const fs::path path = directory.staging() / name;
    fs::create_directories(path.parent_path());
    write_file(path, commit);
  }
  directory.commit();
  if (!fs::exists(current)) return rename_over(next, current);
  if (::renameat2(AT_FDCWD, next.c_str(), AT_FDCWD, current.c_str(), RENAME_EXCHANGE) != 0) {
    throw IoError("{}: cannot exchange with {}: {}", current.string(), next.string(),
                  std::strerror(errno));
  }
  fs::remove_all(next);  // now the earlier names
}

}  // namespace laurel::publish
