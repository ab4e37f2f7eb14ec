#include "laurel/train/append_file.h"

#include <gtest/gtest.h>

#include "laurel/base/error.h"
#include "laurel/base/test_support.h"
#include "laurel/train/test_support.h"

namespace laurel::train {
namespace {

TEST(AppendFile, BytesAreThereWhenTheCallReturns) {
  const TestFolder folder;
  const auto path = folder / "lines";
  write_file(path, "old\n");
  AppendFile file(path);
  file.append("one\n");
  EXPECT_EQ(read_file(path), "old\none\n");
  file.append("");
  file.append("two\n");
  EXPECT_EQ(read_file(path), "old\none\ntwo\n");
}

TEST(AppendFile, AFullDiskTakesTheWholeRecordBack) {
  const TestFolder folder;
  const auto path = folder / "lines";
  AppendFile file(path);
  file.append("whole\n");
  {
    const SmallDisk disk(10);
    EXPECT_TRUE(error_text<IoError>([&] {
                  file.append("too long\n");
                }).starts_with(path.string() + ": cannot write: "));
  }
  EXPECT_EQ(read_file(path), "whole\n");
  file.append("more\n");
  EXPECT_EQ(read_file(path), "whole\nmore\n");
}

TEST(AppendFile, AFolderThatIsNotThereIsNamed) {
  const TestFolder folder;
  EXPECT_TRUE(error_text<IoError>([&] {
                AppendFile(folder / "none/lines");
              }).starts_with((folder / "none/lines").string() + ": cannot open: "));
}

}  // namespace
}  // namespace laurel::train
