// Specific Character Set: what DICOM defines, what writers make of it, and what cannot be decoded.
#include "tags/character_set.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace {

using mercure::tags::CharacterSet;
using mercure::tags::Decoded;
using mercure::tags::Transcoders;
using namespace std::string_literals;

struct Case {
  std::string name;
  std::vector<std::string> terms;
  std::string bytes;
  std::string text;
  std::string problem = "";
  bool person_name = true;

  friend void PrintTo(const Case& it, std::ostream* out) { *out << it.name; }
};

class Decoding : public ::testing::TestWithParam<Case> {};

TEST_P(Decoding, GivesTheText) {
  const Case& it = GetParam();
  std::string unknown;
  Transcoders transcoders;
  const CharacterSet charset(it.terms, unknown);
  const Decoded decoded = charset.decode(it.bytes, it.person_name, transcoders);
  EXPECT_EQ(decoded.text, it.text);
  EXPECT_EQ(decoded.problem, it.problem);
  EXPECT_EQ(unknown, "");
}

// The examples of PS3.5 annexes H to K come with pydicom and are compared in tests/unit/test_getdcmtags_oracle.py.
const Case kCases[] = {
    {"Ascii", {}, "Doe^John", "Doe^John"},
    {"EmptyTerm", {""}, "Doe^John", "Doe^John"},
    {"Latin1", {"ISO_IR 100"}, "Buc^J\xE9r\xF4me", "Buc^Jérôme"},
    {"Latin2", {"ISO_IR 101"}, "Dvo\xF8\xE1k", "Dvořák"},
    {"Latin3", {"ISO_IR 109"}, "\xFE", "ŝ"},
    {"Latin4", {"ISO_IR 110"}, "\xE7", "į"},
    {"Latin5", {"ISO_IR 148"}, "\xFE", "ş"},
    {"Latin9", {"ISO_IR 203"}, "\xA4", "€"},
    {"Cyrillic", {"ISO_IR 144"}, "\xBB\xEE\xDA", "Люк"},
    {"Thai", {"ISO_IR 166"}, "\xA1\xD2", "กา"},
    {"HalfWidthKatakana", {"ISO_IR 13"}, "\xD4\xCF\xC0\xDE", "ﾔﾏﾀﾞ"},
    {"Utf8", {"ISO_IR 192"}, "Wang^\xE5\xB0\x8F", "Wang^小"},
    {"Gb18030", {"GB18030"}, "\xCD\xF5", "王"},
    {"Gb18030FourBytes", {"GB18030"}, "\x90\x30\x81\x30", "\U00010000"},
    {"Gbk", {"GBK"}, "\xCD\xF5", "王"},
    {"Gb18030WithBackslashInside", {"GB18030"}, "\x81\x5C\\A", "乗\\A", "", false},
    {"ShiftJisWithBackslashInside", {"ISO_IR 13"}, "\x83\x5C\\A", "ソ\\A", "", false},
    {"ChineseExtension", {"", "ISO 2022 IR 58"}, "Zhang=\x1B$)A\xD5\xC5", "Zhang=张"},
    {"SupplementaryKanji", {"", "ISO 2022 IR 159"}, "\x1B$(D\x30\x21\x1B(B", "丂"},
    {"TwoByteSetWithBackslashInside", {"", "ISO 2022 IR 87"}, "\x1B$B\x21\x5C\x1B(B\\A", "＋\\A", "", false},
    {"GreekThenCyrillic", {"ISO 2022 IR 126", "ISO 2022 IR 144"}, "\xC4\x1B-L\xBB", "ΔЛ"},
    {"DelimiterEndsExtension", {"ISO 2022 IR 100", "ISO 2022 IR 144"}, "\x1B-L\xBB^\xE9", "Л^é"},
    {"BackslashEndsExtension", {"ISO 2022 IR 100", "ISO 2022 IR 144"}, "\x1B-L\xBB\\\xE9", "Л\\é", "", false},
    {"LineBreakEndsExtension", {"ISO 2022 IR 100", "ISO 2022 IR 144"}, "\x1B-L\xBB\r\n\xE9", "Л\r\né", "", false},
    {"CaretInTextEndsNothing", {"ISO 2022 IR 100", "ISO 2022 IR 144"}, "\x1B-L\xBB^\xBB", "Л^Л", "", false},
    {"ForgottenEscape", {"", "ISO 2022 IR 149"}, "\xB1\xE8", "김"},
    {"EscapeNotAnnounced", {"ISO 2022 IR 100"}, "\x1B-L\xBB", "Л"},
    {"SpelledWithHyphen", {"ISO-IR 100"}, "\xE9", "é"},
    {"SpelledInLowerCase", {"iso_ir 100"}, "\xE9", "é"},
    {"SpelledUtf8", {"UTF-8"}, "\xC3\xA9", "é"},
    {"SpelledLatin1", {"ISO8859-1"}, "\xE9", "é"},
    {"NoSetButUtf8", {}, "M\xC3\xBCller", "Müller", "not valid in ISO_IR 6, read as UTF-8"},
    {"NoSetAndNoUtf8", {}, "M\xFCller", "M\xEF\xBF\xBDller", "not valid in ISO_IR 6"},
    {"BrokenUtf8", {"ISO_IR 192"}, "M\xFCller", "M\xEF\xBF\xBDller", "not valid in ISO_IR 192"},
    {"SurrogateInUtf8", {"ISO_IR 192"}, "\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD", "not valid in ISO_IR 192"},
    {"OverlongUtf8", {"ISO_IR 192"}, "\xC0\xAF", "\uFFFD\uFFFD", "not valid in ISO_IR 192"},
    {"BrokenGb18030", {"GB18030"}, "A\xFF" "B", "A\uFFFD" "B", "not valid in GB18030"},
    {"HoleInArabic", {"ISO_IR 127"}, "\xA1", "\uFFFD", "not valid in ISO_IR 127"},
    {"BrokenKorean", {"", "ISO 2022 IR 149"}, "\x1B$)C\xFF\xFE" "A", "\uFFFD" "A", "not valid in ISO 2022 IR 149"},
    {"HalfAKanji", {"", "ISO 2022 IR 87"}, "\x1B$B\x3B\x33\x45\x1B(B", "山\uFFFD", "not valid in ISO 2022 IR 87"},
    {"UnknownEscape", {"", "ISO 2022 IR 87"}, "A\x1B%GB", "A\uFFFD%GB", "not valid in ISO 2022 IR 6"},
    {"EscapeAtTheEnd", {"", "ISO 2022 IR 87"}, "A\x1B", "A\uFFFD", "not valid in ISO 2022 IR 6"},
    {"EscapeIsTextWithoutExtensions", {"ISO_IR 100"}, "A\x1B[31m", "A\x1B[31m"},
    {"MultiByteSetAlone", {"ISO 2022 IR 149"}, "\xB1\xE8", "김"},
    {"MultiByteSetAloneWithEscape", {"ISO 2022 IR 87"}, "\x1B$B\x3B\x33\x1B(B", "山"},
    {"Utf8IsNeverExtended", {"ISO_IR 192", "ISO 2022 IR 87"}, "\xE5\xB0\x8F", "小"},
};

INSTANTIATE_TEST_SUITE_P(CharacterSet, Decoding, ::testing::ValuesIn(kCases),
                         [](const auto& instance) { return instance.param.name; });

TEST(CharacterSet, NamesATermThatNobodyKnows) {
  std::string unknown;
  Transcoders transcoders;
  const CharacterSet charset({"ISO_IR 999"}, unknown);
  EXPECT_EQ(unknown, "unknown character set ISO_IR 999");
  EXPECT_EQ(charset.decode("A\xE9", false, transcoders).text, "A\uFFFD");
}

TEST(CharacterSet, AnyByteAfterAnyByteGivesUtf8) {
  Transcoders transcoders;
  const std::vector<std::vector<std::string>> all = {
      {},           {"ISO_IR 13"},          {"ISO_IR 100"},         {"ISO_IR 127"},         {"ISO_IR 166"},
      {"GB18030"},  {"GBK"},                {"ISO_IR 192"},         {"", "ISO 2022 IR 87"}, {"", "ISO 2022 IR 159"},
      {"", "ISO 2022 IR 149"}, {"", "ISO 2022 IR 58"}, {"ISO 2022 IR 13", "ISO 2022 IR 87"}};
  const std::string prefixes[] = {"", "\x1B$B", "\x1B$(D", "\x1B$)C", "\x1B$)A", "\x1B)I", "\x1B-L"};
  for (const auto& terms : all) {
    std::string unknown;
    const CharacterSet charset(terms, unknown);
    for (int pair = 0; pair < 0x10000; ++pair) {
      const std::string bytes = prefixes[pair % 7] + static_cast<char>(pair >> 8) + static_cast<char>(pair & 0xFF);
      const Decoded decoded = charset.decode(bytes, pair % 2 == 0, transcoders);
      ASSERT_TRUE(mercure::tags::is_utf8(decoded.text)) << (terms.empty() ? "none" : terms.back()) << ' ' << pair;
    }
  }
}

}  // namespace
