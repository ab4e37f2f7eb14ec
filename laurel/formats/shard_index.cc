#include "laurel/formats/shard_index.h"

#include "laurel/base/error.h"
#include "laurel/base/file.h"
#include "laurel/base/json.h"

namespace laurel::formats {
namespace {

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{100} << 20;

bool is_base_name(std::string_view name, std::string_view extension) {
  return name.size() > extension.size() && name.ends_with(extension) && name.front() != '.' &&
         name.find('/') == name.npos && name.find('\\') == name.npos &&
         name.find('\0') == name.npos;
}

}  // namespace

std::map<std::string, std::string> parse_shard_index(std::string_view text,
                                                     std::string_view extension,
                                                     std::string_view where) {
  const Json root = parse_json(text, where);
  const auto found = root.is_object() ? root.find("weight_map") : root.end();
  if (found == root.end() || !found->is_object() || found->empty()) {
    throw UserError("{}: key \"weight_map\": expected an object of tensor names and files", where);
  }
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : found->items()) {
    if (!file.is_string() || !is_base_name(file.get_ref<const std::string&>(), extension)) {
      throw UserError("{}: tensor {}: expected a file name ending in {} without a path, got {}",
                      where, tensor, extension, to_line(file).substr(0, 100));
    }
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

std::map<std::string, std::string> read_shard_index(const std::filesystem::path& path,
                                                    std::string_view extension) {
  return parse_shard_index(read_file(path, kMaxIndexBytes), extension, path.string());
}

}  // namespace laurel::formats
