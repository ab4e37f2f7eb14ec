// The index of a checkpoint in several files: {"metadata": …, "weight_map": {tensor: file}}.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace laurel::formats {

// Tensor name to file name. File names are plain base names ending in `extension` (".safetensors",
// ".bin"): the index cannot name a file outside its folder. Throws UserError.
std::map<std::string, std::string> parse_shard_index(std::string_view text,
                                                     std::string_view extension,
                                                     std::string_view where);
std::map<std::string, std::string> read_shard_index(const std::filesystem::path& path,
                                                    std::string_view extension);

}  // namespace laurel::formats
