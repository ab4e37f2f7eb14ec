#include "laurel/train/event_file.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "laurel/base/file.h"

namespace laurel::train {
namespace {

// RFC 3720, appendix B.4.
TEST(EventFile, ChecksumsOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending += c;
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

// Bytes that the protobuf library gives for the same message.
TEST(EventFile, MessageBytes) {
  const std::array<Scalar, 1> scalars = {Scalar{"lr", 0.5}};
  EXPECT_EQ(scalar_event(1.0, 300, scalars),
            std::string("\x09\0\0\0\0\0\0\xf0\x3f"  // 1: 1.0
                        "\x10\xac\x02"              // 2: 300
                        "\x2a\x0b"                  // 5: a summary of 11 bytes
                        "\x0a\x09\x0a\x02lr\x15\0\0\0\x3f",
                        25));
  EXPECT_EQ(session_start_event(1.0, 5),
            std::string("\x09\0\0\0\0\0\0\xf0\x3f\x10\x05\x3a\x02\x08\x01", 15));
}

TEST(EventFile, RecordsAreFramed) {
  const std::string record = frame_record("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
}

TEST(EventFile, WritesAtOnceUnderTheNameThatTensorBoardLooksFor) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "laurel_event_file";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  EventFile file(folder, 1);
  const std::array<Scalar, 1> scalars = {Scalar{"train/rm/loss", 0.25}};
  file.write(3, scalars);
  const auto entry = *std::filesystem::directory_iterator(folder);
  EXPECT_EQ(entry.path().filename().string().rfind("events.out.tfevents.", 0), 0u);
  const std::string bytes = read_file(entry.path());
  EXPECT_NE(bytes.find("brain.Event:2"), std::string::npos);
  EXPECT_NE(bytes.find("train/rm/loss"), std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace laurel::train
