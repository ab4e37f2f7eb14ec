#include "laurel/base/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace laurel {
namespace {

// Empty if the file is not there; /proc and /sys files have no size to ask for beforehand.
std::string read_small_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data() + begin, text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// The number behind `key` at the beginning of a line.
std::optional<std::int64_t> number_after(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) return parse_number(std::string_view(line).substr(key.size()));
  }
  return std::nullopt;
}

// Room in the control groups (version 2) of this process and those around it.
std::optional<std::int64_t> control_groups_room() {
  std::istringstream lines(read_small_file("/proc/self/cgroup"));
  std::optional<std::int64_t> least;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::")) continue;
    std::filesystem::path group = "/sys/fs/cgroup" + line.substr(3);
    for (;;) {
      const auto room = control_group_room(read_small_file(group / "memory.max"),
                                           read_small_file(group / "memory.current"),
                                           read_small_file(group / "memory.stat"));
      if (room) least = std::min(*room, least.value_or(*room));
      if (group == "/sys/fs/cgroup" || !group.has_relative_path()) break;
      group = group.parent_path();
    }
  }
  return least;
}

// What the process's own limit on its address space (ulimit -v) leaves.
std::optional<std::int64_t> address_space_room() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  const auto used = number_after(read_small_file("/proc/self/status"), "VmSize:");
  if (!used) return std::nullopt;
  return static_cast<std::int64_t>(limit.rlim_cur) - *used * 1024;
}

}  // namespace

std::optional<std::int64_t> parse_mem_available(const std::string& meminfo) {
  const auto kibibytes = number_after(meminfo, "MemAvailable:");
  if (!kibibytes) return std::nullopt;
  return *kibibytes * 1024;
}

std::optional<std::int64_t> control_group_room(const std::string& limit, const std::string& current,
                                               const std::string& stat) {
  const auto most = parse_number(limit), used = parse_number(current);
  if (!most || !used) return std::nullopt;  // "max", or no such file
  const std::int64_t cached = number_after(stat, "inactive_file ").value_or(0) +
                              number_after(stat, "active_file ").value_or(0);
  return *most - *used + cached;  // the page cache makes room when asked to
}

std::optional<std::int64_t> available_memory() {
  const auto system = parse_mem_available(read_small_file("/proc/meminfo"));
  std::optional<std::int64_t> least;
  for (const auto& room : {system, control_groups_room(), address_space_room()}) {
    if (room) least = std::min(*room, least.value_or(*room));
  }
  return least;
}

}  // namespace laurel
