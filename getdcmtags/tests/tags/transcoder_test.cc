#include "tags/transcoder.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using mercure::tags::append_utf8;
using mercure::tags::is_utf8;
using mercure::tags::kReplacement;
using mercure::tags::utf8;

// Eight bytes are looked at together where all are ASCII: what is none may stand anywhere among them.
TEST(Utf8, IsFoundAtEachPlaceOfALongText) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string plain(size, 'x');
    EXPECT_TRUE(is_utf8(plain));
    EXPECT_EQ(utf8(plain), plain);
    for (std::size_t at = 0; at <= size; ++at) {
      const std::string before = plain.substr(0, at);
      const std::string after = plain.substr(at);
      EXPECT_TRUE(is_utf8(before + "\xC3\xA9" + after));
      EXPECT_EQ(utf8(before + "\xC3\xA9" + after), before + "\xC3\xA9" + after);
      for (const char wrong : {'\x80', '\xC3', '\xFF'}) {
        std::string out = "before ";
        EXPECT_FALSE(is_utf8(before + wrong + after));
        EXPECT_FALSE(append_utf8(before + wrong + after, out));
        EXPECT_EQ(out, "before " + before + std::string(kReplacement) + after);
      }
    }
  }
}

TEST(Utf8, KeepsNulAndDelete) {
  const std::string text("a\0b\x7F", 4);
  EXPECT_TRUE(is_utf8(text));
  EXPECT_EQ(utf8(text), text);
}

}  // namespace
