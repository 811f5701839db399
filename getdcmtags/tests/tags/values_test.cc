// Values as texts: numbers, padding, lists, and UN that may be text.
#include "tags/values.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace mercure::tags;
using namespace std::string_literals;
using Values = std::vector<std::string>;

Texts text(std::string_view bytes, Vr vr, bool cut = false) {
  Transcoders transcoders;
  return texts_of(bytes, vr, cut, CharacterSet(), transcoders);
}

TEST(Texts, AreTrimmedOfPaddingByTheirVr) {
  EXPECT_EQ(text(" A  B \\ C ", Vr::LO).values, (Values{"A  B", "C"}));
  EXPECT_EQ(text("1.2.3\0"s, Vr::UI).values, (Values{"1.2.3"}));
  EXPECT_EQ(text("  indented \r\n ", Vr::LT).values, (Values{"  indented \r\n"}));
  EXPECT_EQ(text("   ", Vr::SH).values, (Values{""}));
  EXPECT_EQ(text("", Vr::SH).values, (Values{""}));
}

TEST(Texts, AreListsWhereTheVrAllowsIt) {
  EXPECT_EQ(text("a\\\\b\\", Vr::SH).values, (Values{"a", "", "b", ""}));
  for (const Vr vr : {Vr::LT, Vr::ST, Vr::UT, Vr::UR}) EXPECT_EQ(text("a\\b", vr).values, (Values{"a\\b"}));
  EXPECT_EQ(text("a\\b", Vr::UC).values, (Values{"a", "b"}));
}

TEST(Texts, NeverHoldNul) {
  const Texts texts = text("A\0B"s, Vr::LO);
  EXPECT_EQ(texts.values, (Values{"A\uFFFDB"}));
  EXPECT_EQ(texts.problem, "holds NUL");
}

TEST(Texts, SayWhatTheirVrDoesNotAllow) {
  std::string unknown;
  Transcoders transcoders;
  const CharacterSet latin({"ISO_IR 100"}, unknown);
  const Texts texts = texts_of("\xC4", Vr::CS, false, latin, transcoders);
  EXPECT_EQ(texts.values, (Values{"Ä"}));
  EXPECT_EQ(texts.problem, "only ASCII is allowed in CS");
}

TEST(Texts, LoseHalfACharacterWhereTheyAreCut) {
  std::string unknown;
  Transcoders transcoders;
  const CharacterSet utf8({"ISO_IR 192"}, unknown);
  const Texts texts = texts_of("A\xC3", Vr::LT, true, utf8, transcoders);
  EXPECT_EQ(texts.values, (Values{"A"}));
  EXPECT_EQ(texts.problem, "");
}

TEST(Numbers, AreDecimal) {
  EXPECT_EQ(numbers_of("\xFF\xFF\x01\x00"s, Vr::US, false).values, (Values{"65535", "1"}));
  EXPECT_EQ(numbers_of("\xFF\xFF"s, Vr::SS, false).values, (Values{"-1"}));
  EXPECT_EQ(numbers_of("\x00\x01"s, Vr::US, true).values, (Values{"1"}));
  EXPECT_EQ(numbers_of("\xFF\xFF\xFF\xFF"s, Vr::UL, false).values, (Values{"4294967295"}));
  EXPECT_EQ(numbers_of("\xFF\xFF\xFF\xFF"s, Vr::SL, false).values, (Values{"-1"}));
  EXPECT_EQ(numbers_of(std::string(8, '\xFF'), Vr::UV, false).values, (Values{"18446744073709551615"}));
  EXPECT_EQ(numbers_of(std::string(8, '\xFF'), Vr::SV, false).values, (Values{"-1"}));
  EXPECT_EQ(numbers_of("\x28\x00\x09\x00"s, Vr::AT, false).values, (Values{"0028,0009"}));
  EXPECT_EQ(numbers_of("", Vr::US, false).values, (Values{""}));
}

TEST(Numbers, AreTheShortestThatReadBackTheSame) {
  EXPECT_EQ(numbers_of("\xCD\xCC\xCC\x3D"s, Vr::FL, false).values, (Values{"0.1"}));
  EXPECT_EQ(numbers_of("\x3D\xCC\xCC\xCD"s, Vr::FL, true).values, (Values{"0.1"}));
  EXPECT_EQ(numbers_of("\x9A\x99\x99\x99\x99\x99\xB9\x3F"s, Vr::FD, false).values, (Values{"0.1"}));
  EXPECT_EQ(numbers_of("\x00\x00\x80\x3F"s, Vr::FL, false).values, (Values{"1"}));
  EXPECT_EQ(numbers_of("\x00\x00\x80\x7F"s, Vr::FL, false).values, (Values{"inf"}));
}

TEST(Numbers, LeaveOutBytesThatMakeNoWholeOne) {
  const Texts texts = numbers_of("\x01\x00\x02"s, Vr::US, false);
  EXPECT_EQ(texts.values, (Values{"1"}));
  EXPECT_EQ(texts.problem, "3 bytes are no whole number of US");
}

TEST(UnknownBytes, AreTextWhenTheyCanBeNothingElse) {
  EXPECT_TRUE(is_text("HEAD FIRST ", text("HEAD FIRST ", Vr::UN)));
  EXPECT_TRUE(is_text("1.2.3\0"s, text("1.2.3\0"s, Vr::UN)));
  EXPECT_TRUE(is_text("two\r\nlines", text("two\r\nlines", Vr::UN)));
  for (const std::string& bytes : {"A\0"s, "\0"s, "\0\0\0\0"s, "1\0"s, "1\0\0\0"s, "1.2\0\0"s, "1\0.2"s}) {
    EXPECT_FALSE(is_text(bytes, text(bytes, Vr::UN))) << bytes.size();
  }
  EXPECT_FALSE(is_text("\x01\x02", text("\x01\x02", Vr::UN)));
  EXPECT_FALSE(is_text("A\xE9", text("A\xE9", Vr::UN)));
  EXPECT_FALSE(is_text("A\x7F", text("A\x7F", Vr::UN)));
}

TEST(Base64, FollowsTheExamplesOfRfc4648) {
  EXPECT_EQ(base64_of(""), "");
  EXPECT_EQ(base64_of("f"), "Zg==");
  EXPECT_EQ(base64_of("fo"), "Zm8=");
  EXPECT_EQ(base64_of("foo"), "Zm9v");
  EXPECT_EQ(base64_of("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64_of("\xFF\xFE\xFD"), "//79");
}

}  // namespace
