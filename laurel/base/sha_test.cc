#include "laurel/base/sha.h"

#include <gtest/gtest.h>

namespace laurel {
namespace {

template <typename Hash>
std::string digest(std::string_view text) {
  Hash hash;
  hash.add(text);
  return hash.digest();
}

// The examples of FIPS 180-4.
TEST(Sha, KnownDigests) {
  const std::string two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(digest<Sha1>("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest<Sha1>(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(digest<Sha1>(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  EXPECT_EQ(digest<Sha256>(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest<Sha256>("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest<Sha256>(two_blocks),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// However the bytes come.
TEST(Sha, PartsGiveTheSameDigest) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (const std::size_t step : {1, 3, 55, 56, 63, 64, 65, 129}) {
    Sha1 sha1;
    Sha256 sha256;
    for (std::size_t at = 0; at < text.size(); at += step) {
      sha1.add(std::string_view(text).substr(at, step));
      sha256.add(std::string_view(text).substr(at, step));
    }
    EXPECT_EQ(sha1.digest(), digest<Sha1>(text)) << step;
    EXPECT_EQ(sha256.digest(), digest<Sha256>(text)) << step;
  }
}

// `printf 'hello\n' | git hash-object --stdin`
TEST(Sha, GitBlobName) {
  EXPECT_EQ(git_blob_name("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(git_blob_name(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

}  // namespace
}  // namespace laurel
