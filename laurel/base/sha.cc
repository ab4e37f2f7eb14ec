#include "laurel/base/sha.h"

#include <fmt/format.h>

#include <bit>

namespace laurel {
namespace {

constexpr std::size_t kBlock = 64;

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

void mix(std::array<std::uint32_t, 5>& state, const char* block) {
  std::uint32_t w[80];
  for (int i = 0; i < 16; ++i) w[i] = big_endian(block + 4 * i);
  for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  auto [a, b, c, d, e] = state;
  for (int i = 0; i < 80; ++i) {
    std::uint32_t f;
    if (i < 20) {
      f = ((b & c) | (~b & d)) + 0x5a827999;
    } else if (i < 40) {
      f = (b ^ c ^ d) + 0x6ed9eba1;
    } else if (i < 60) {
      f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    } else {
      f = (b ^ c ^ d) + 0xca62c1d6;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const std::uint32_t added[] = {a, b, c, d, e};
  for (int i = 0; i < 5; ++i) state[i] += added[i];
}

constexpr std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void mix(std::array<std::uint32_t, 8>& state, const char* block) {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i) w[i] = big_endian(block + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t first = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t second = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const std::uint32_t added[] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state[i] += added[i];
}

// Feeds whole blocks of `pending` + `bytes` to the state; what is left becomes `pending`.
template <typename State>
void consume(State& state, std::string& pending, std::string_view bytes) {
  if (!pending.empty()) {
    const std::size_t taken = std::min(kBlock - pending.size(), bytes.size());
    pending.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (pending.size() < kBlock) return;
    mix(state, pending.data());
    pending.clear();
  }
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) mix(state, bytes.data());
  pending.append(bytes);
}

// The closing bit, zeros, and the length in bits; then the state as text.
template <typename State>
std::string finish(State& state, std::string& pending, std::uint64_t num_bytes) {
  std::string tail("\x80", 1);
  while ((pending.size() + tail.size()) % kBlock != kBlock - 8) tail += '\0';
  for (int shift = 56; shift >= 0; shift -= 8)
    tail += static_cast<char>((num_bytes * 8) >> shift & 0xff);
  consume(state, pending, tail);
  std::string text;
  for (const std::uint32_t word : state) text += fmt::format("{:08x}", word);
  return text;
}

}  // namespace

void Sha1::add(std::string_view bytes) {
  num_bytes_ += bytes.size();
  consume(state_, pending_, bytes);
}

std::string Sha1::digest() { return finish(state_, pending_, num_bytes_); }

void Sha256::add(std::string_view bytes) {
  num_bytes_ += bytes.size();
  consume(state_, pending_, bytes);
}

std::string Sha256::digest() { return finish(state_, pending_, num_bytes_); }

std::string git_blob_name(std::string_view bytes) {
  Sha1 hash;
  hash.add(fmt::format("blob {}", bytes.size()));
  hash.add(std::string_view("\0", 1));
  hash.add(bytes);
  return hash.digest();
}

}  // namespace laurel
