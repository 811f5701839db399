#include "digest.h"

#include <gtest/gtest.h>

#include <string>

namespace mercure {
namespace {

// From the reference implementation; the Python package says the same (tests/integration/storescp/test_storescp_digests.py).
TEST(Digests, AreThoseOfXxh3) {
  EXPECT_EQ(Digest::of(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(Digest().hex(), Digest::of(""));
}

TEST(Digests, DoNotDependOnThePieces) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7 + i / 251);
  for (const std::size_t piece : {1U, 7U, 256U, 1023U, 65'536U}) {
    Digest digest;
    for (std::size_t at = 0; at < bytes.size(); at += piece) digest.add(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(digest.hex(), Digest::of(bytes)) << piece;
  }
}

}  // namespace
}  // namespace mercure
