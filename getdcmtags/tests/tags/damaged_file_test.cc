// Files that are broken, by accident or by their writer: refused with a true reason, or read as far as they make sense.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

#include "tags/dicom_bytes.h"

namespace {

using namespace mercure::testing;
using nlohmann::json;
using namespace std::string_literals;

std::string reason_of(std::string_view content) {
  const auto result = read(content);
  EXPECT_FALSE(result.ok);
  // What came before the fault, if anything, always with the fault: it cannot be taken for a record of the whole.
  EXPECT_TRUE(result.json.empty() || json::parse(result.json).contains("Fault")) << result.json;
  return result.reason;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(NoDicom, IsNamedAsSuch) {
  EXPECT_EQ(reason_of(""), "the file is empty");
  EXPECT_EQ(reason_of("%PDF-1.4 and so on, long enough"), "not a DICOM file");
  EXPECT_EQ(reason_of(std::string(10'000, '\0')), "not a DICOM file");
  EXPECT_EQ(reason_of(std::string(10'000, '\xFF')), "not a DICOM file");
  EXPECT_EQ(reason_of("\x08"), "not a DICOM file");
  EXPECT_EQ(reason_of(dicom_file("")), "there is no data set after the meta header");
  EXPECT_EQ(reason_of(std::string(128, '\0') + "DICM"), "no data set after the meta header");
}

TEST(Truncation, InTheHeaderIsAnErrorAndInThePixelsIsNone) {
  const std::string header = dicom_file(identity());
  const std::string whole = header + explicit_header(0x7FE00010, "OW", 1000) + std::string(1000, '\7');
  EXPECT_TRUE(read(whole).ok);
  EXPECT_TRUE(read(whole.substr(0, whole.size() - 999)).ok);
  EXPECT_TRUE(read(header + explicit_header(0x7FE00010, "OW", 1000)).ok);
  const std::string reason = reason_of(header.substr(0, header.size() - 1));
  EXPECT_TRUE(contains(reason, "ends in the middle of the header")) << reason;
  EXPECT_TRUE(contains(reason, "0020,000e")) << reason;
}

TEST(Truncation, AtAnyByteIsNoticedUnlessAnElementEndsThere) {
  const std::string data_set = identity() + explicit_header(0x00400275, "SQ", kUndefined) +
                               open_sequence(open_item(explicit_element(0x00080100, "SH", "T1"))) +
                               explicit_element(0x00420011, "OB", std::string(2000, '\1'));
  const std::string file = dicom_file(data_set);
  const std::size_t start = file.size() - data_set.size();
  std::size_t readable = 0;
  for (std::size_t length = 0; length < file.size(); ++length) {
    const auto result = read(std::string_view(file).substr(0, length));
    EXPECT_NE(result.ok, !result.reason.empty()) << length;
    EXPECT_TRUE(!result.ok || length > start) << length;
    readable += result.ok;
  }
  EXPECT_EQ(readable, 8U);  // after each of the seven elements of identity() and after the sequence
}

TEST(Length, BeyondTheFileIsTruncation) {
  const std::string reason = reason_of(dicom_file(identity() + explicit_header(0x00420011, "OB", 0xFFFFFFF0)));
  EXPECT_TRUE(contains(reason, "ends in the middle of the header")) << reason;
  EXPECT_TRUE(contains(reason_of(dicom_file(implicit_header(0x00100010, 0xFFFFFFFE), kImplicitLittle)), "ends in the middle"));
}

TEST(OddLength, IsReadAsItIs) {
  const json record = record_of_data_set(explicit_element(0x00080060, "CS", "CT ") + explicit_element(0x00100020, "LO", "ABC") +
                                         explicit_element(0x00280010, "US", "\x01\x00\x02"s) +
                                         explicit_element(0x00280011, "US", number(5, 2)));
  EXPECT_EQ(record["PatientID"], "ABC");
  EXPECT_EQ(record["Rows"], "1");
  EXPECT_EQ(record["Columns"], "5");
  EXPECT_EQ(record["DecodingProblems"], json::array({"Rows: 3 bytes are no whole number of US"}));
}

TEST(Padding, AfterTheLastElementIsPassedOver) {
  EXPECT_TRUE(read(dicom_file(identity()) + std::string(3, '\0')).ok);
  EXPECT_TRUE(read(dicom_file(identity()) + std::string(512, '\0')).ok);
  EXPECT_TRUE(read(dicom_file(identity() + explicit_element(0xFFFCFFFC, "OB", "\0\0"s))).ok);
}

TEST(Duplicate, ShowsTheFirst) {
  const json record = record_of_data_set(explicit_element(0x00100020, "LO", "first ") + explicit_element(0x00100020, "LO", "second") +
                                         explicit_element(0x00080060, "CS", "CT") + explicit_element(0x00080060, "CS", "MR"));
  EXPECT_EQ(record["PatientID"], "first");
  EXPECT_EQ(record["Modality"], "CT");
  EXPECT_EQ(record["DecodingProblems"], json::array({"PatientID: present more than once; the first is shown",
                                                     "Modality: present more than once; the first is shown"}));
}

TEST(DamagedSequence, OfKnownLengthIsPassedOver) {
  const std::string too_long = item(explicit_header(0x00080100, "SH", 200) + "T1");
  const std::string not_an_item = explicit_element(0x00080100, "SH", "T1T2");
  const std::string item_too_long = implicit_header(0xFFFEE000, 500) + "abcd";
  for (const auto& content : {too_long, not_an_item, item_too_long, std::string(5, 'x')}) {
    const json record = record_of_data_set(explicit_element(0x00080060, "CS", "CT") +
                                           explicit_element(0x00321064, "SQ", content) +
                                           explicit_element(0x00400253, "SH", std::string(400, 'a')));
    EXPECT_EQ(record["PerformedProcedureStepID"].get<std::string>().size(), 400U);
    ASSERT_EQ(record["DecodingProblems"].size(), 1U);
    EXPECT_TRUE(contains(record["DecodingProblems"][0].get<std::string>(), "damaged"));
  }
}

TEST(DamagedSequence, OfUnknownLengthIsRefused) {
  const std::string reason = reason_of(dicom_file(explicit_header(0x00321064, "SQ", kUndefined) + explicit_element(0x00080100, "SH", "T1T2")));
  EXPECT_TRUE(contains(reason, "0008,0100 where an item was expected")) << reason;
}

TEST(MissingDelimiters, AreForgivenWhereTheEndIsClear) {
  const std::string name = explicit_element(0x00100010, "PN", "Doe");
  // An item without its end before the end of the sequence, an end where a length was given, an end too many.
  const std::string no_item_end = explicit_header(0x00321064, "SQ", kUndefined) + implicit_header(0xFFFEE000, kUndefined) +
                                  name + implicit_header(0xFFFEE0DD, 0);
  const std::string both = explicit_element(0x00400275, "SQ", item(name) + implicit_header(0xFFFEE0DD, 0));
  const std::string stray = implicit_header(0xFFFEE0DD, 0) + implicit_header(0xFFFEE00D, 0);
  const json record = record_of_data_set(no_item_end + both + stray + explicit_element(0x00400555, "SQ", ""));
  EXPECT_EQ(record["RequestedProcedureCodeSequence"][0]["PatientName"], "Doe");
  EXPECT_EQ(record["RequestAttributesSequence"][0]["PatientName"], "Doe");
  EXPECT_TRUE(record.contains("AcquisitionContextSequence"));
}

TEST(Json, IsValidWhateverTheBytes) {
  const std::string all = [] {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  for (const auto* vr : {"LO", "PN", "CS", "UI", "UT", "DS", "UN", "ST"}) {
    for (const auto* charset : {"ISO_IR 192", "ISO_IR 100", "GB18030", "ISO 2022 IR 6\\ISO 2022 IR 87", "nonsense"}) {
      const json record = record_of_data_set(explicit_element(0x00080005, "CS", charset) +
                                             explicit_element(0x00290010, "LO", all) +
                                             explicit_element(0x00291001, vr, all));
      EXPECT_TRUE(record.contains("DecodingProblems"));
    }
  }
}

// A small fuzzer that always runs; the real one is in getdcmtags/fuzz.
TEST(AnyDamage, GivesARecordOrAReason) {
  const std::string file = dicom_file(
      identity() + explicit_header(0x00400275, "SQ", kUndefined) +
      open_sequence(open_item(explicit_element(0x00080100, "SH", "T1") + explicit_element(0x00321064, "SQ", item(identity())))) +
      explicit_element(0x00420011, "UN", item(implicit_element(0x00080100, "T1"))));
  std::mt19937 random(20261121);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = file;
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const auto result = read(damaged);
    if (result.ok) {
      ASSERT_TRUE(json::accept(result.json)) << round;
    } else {
      ASSERT_FALSE(result.reason.empty());
    }
  }
}

}  // namespace
