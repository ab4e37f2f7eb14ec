#include "laurel/base/memory.h"

#include <gtest/gtest.h>

namespace laurel {
namespace {

TEST(Memory, ReadsTheSystemsFiles) {
  EXPECT_EQ(parse_mem_available("MemTotal:  100 kB\nMemAvailable:    2048 kB\n"), 2048 * 1024);
  EXPECT_EQ(parse_mem_available("MemTotal: 100 kB\n"), std::nullopt);
  EXPECT_EQ(control_group_room("max\n", "500\n", ""), std::nullopt);
  EXPECT_EQ(control_group_room("", "", ""), std::nullopt);
  EXPECT_EQ(control_group_room("1000\n", "700\n", "anon 5\ninactive_file 100\nactive_file 50\n"),
            450);
  EXPECT_GT(available_memory().value_or(1), 0);
}

}  // namespace
}  // namespace laurel
