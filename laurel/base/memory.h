// Memory that this process can still get.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace laurel {

// Bytes that this process can still get: the least of the system's available memory, what the
// control groups leave, and what its own limit on the address space leaves. Nullopt when the system
// does not say.
std::optional<std::int64_t> available_memory();

// For tests: the text of /proc/meminfo, and of a control group's limit, use and memory.stat.
std::optional<std::int64_t> parse_mem_available(const std::string& meminfo);
std::optional<std::int64_t> control_group_room(const std::string& limit, const std::string& current,
                                               const std::string& stat);

}  // namespace laurel
