// What happens at each limit: refused while the image has no name yet, cut and told afterwards.
#include <gtest/gtest.h>

#include <string>

#include "tags/dicom_bytes.h"

namespace {

using namespace mercure::testing;
using nlohmann::json;
using mercure::tags::Limits;

std::string comments(std::size_t bytes) { return explicit_element(0x00204000, "UT", std::string(bytes, 'a')); }

std::string many(std::uint32_t group, std::uint32_t count) {
  std::string elements;
  for (std::uint32_t i = 0; i < count; ++i) elements += explicit_element((group << 16) | (0x1000 + i), "CS", "a ");
  return elements;
}

TEST(Elements, PastTheLimitCutTheRecordOrRefuseTheFile) {
  Limits limits;
  limits.elements = 50;
  const json record = record_of_data_set(identity() + many(0x0031, 100), limits);
  EXPECT_TRUE(record.contains("0031,1010[]"));
  EXPECT_FALSE(record.contains("0031,1060[]"));
  EXPECT_EQ(record["DecodingProblems"].size(), 1U);

  const auto refused = read(dicom_file(many(0x0009, 100) + identity()), limits);
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.reason, "the header has more elements than the limit");
}

TEST(Elements, PastTheLimitInsideAnItemLeaveWellFormedJson) {
  Limits limits;
  limits.elements = 20;
  const json record = record_of_data_set(identity() + explicit_element(0x00400275, "SQ", item(many(0x0031, 100))), limits);
  EXPECT_EQ(record["RequestAttributesSequence"].size(), 1U);
  EXPECT_EQ(record["DecodingProblems"].size(), 1U);
}

TEST(HeaderBytes, PastTheLimitCutTheRecord) {
  Limits limits;
  limits.header_bytes = 1'000;
  const json record = record_of_data_set(identity() + explicit_element(0x00400280, "ST", std::string(900, 'a')) +
                                         explicit_element(0x00400281, "LO", std::string(900, 'b')), limits);
  EXPECT_TRUE(record.contains("CommentsOnThePerformedProcedureStep"));
  EXPECT_EQ(record["DecodingProblems"], json::array({"the header is larger than the limit; left out after 0040,0281"}));
}

TEST(LongText, IsCut) {
  const json record = record_of_data_set(explicit_element(0x00081030, "LO", "x ") + comments(65'537) + explicit_element(0x00280010, "US", "\1\1"));
  EXPECT_EQ(record["ImageComments"].get<std::string>().size(), 65'536U);
  EXPECT_EQ(record["DecodingProblems"], json::array({"ImageComments: cut after 65536 bytes"}));
  EXPECT_EQ(record["Rows"], "257");
  EXPECT_FALSE(record_of_data_set(comments(65'536)).contains("DecodingProblems"));
}

TEST(LongRecord, IsCutButKeepsItsIdentity) {
  Limits limits;
  limits.record_bytes = 1'000;
  const json record = record_of_data_set(many(0x0009, 100) + identity() + many(0x0031, 100), limits);
  EXPECT_EQ(record["SeriesInstanceUID"], "1.2.3.9");
  EXPECT_TRUE(record.contains("0009,1000[]"));
  EXPECT_FALSE(record.contains("0031,1000[]"));
  EXPECT_EQ(record["DecodingProblems"].size(), 1U);
  EXPECT_LT(record.dump().size(), 2'000U);
}

TEST(LongRecord, InsideAnItemStaysWellFormed) {
  Limits limits;
  limits.record_bytes = 1'000;
  std::string items;
  for (int i = 0; i < 100; ++i) items += item(many(0x0031, 10));
  const json record = record_of_data_set(explicit_header(0x00081115, "SQ", kUndefined) + open_sequence(items) + identity(), limits);
  EXPECT_EQ(record["SeriesInstanceUID"], "1.2.3.9");
  EXPECT_GT(record["ReferencedSeriesSequence"].size(), 2U);
}

TEST(LongValues, OfItemsAreNamedWithTheirSequence) {
  const std::string creator = explicit_element(0x00290010, "LO", "Siemens: Thorax/FD 1.2");
  const std::string longer = creator + explicit_element(0x00291010, "OB", std::string(2'000, 'a'));
  const json record = record_of_data_set(identity() + explicit_element(0x00400275, "SQ", item(creator) + item(longer) + item(longer)) +
                                         explicit_header(0x00420011, "OB", kUndefined) + open_sequence(item("ab")) +
                                         explicit_element(0x00420012, "LO", "after"));
  EXPECT_EQ(record["LeftOut"],
            json::array({"EncapsulatedDocument", json::array({"RequestAttributesSequence", "0029,1010[Siemens: Thorax/FD 1.2]"})}));
  EXPECT_EQ(record["MIMETypeOfEncapsulatedDocument"], "after");
  EXPECT_FALSE(record.contains("DecodingProblems"));
}

TEST(LongValues, AreNotNamedWhenAShorterOneIsShown) {
  const std::string shown = explicit_element(0x00420011, "OB", "ab");
  const std::string longer = explicit_element(0x00420011, "OB", std::string(2'000, 'a'));
  EXPECT_FALSE(record_of_data_set(identity() + shown + longer).contains("LeftOut"));
  EXPECT_FALSE(record_of_data_set(identity() + longer + shown).contains("EncapsulatedDocument")) << "the first one counts";
  EXPECT_FALSE(record_of_data_set(identity() + shown).contains("LeftOut"));
}

TEST(LongValues, HoweverManyLeaveTheRecordSmall) {
  std::string longer;
  for (std::uint32_t group = 0x0031; group < 0x0031 + 2 * 10; group += 2) {
    for (std::uint32_t i = 0; i < 1'000; ++i) longer += explicit_element((group << 16) | (0x1000 + i), "OB", std::string(1'026, 'a'));
  }
  const json record = record_of_data_set(identity() + longer);
  EXPECT_LT(record.dump().size(), 128U << 10);
  EXPECT_EQ(record["LeftOut"].back(), "and more");
  EXPECT_EQ(record["LeftOut"].front(), "0031,1000[]");
  EXPECT_FALSE(record.contains("DecodingProblems"));
}

}  // namespace
