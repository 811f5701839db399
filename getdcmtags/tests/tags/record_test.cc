// The tag record of files that are in order, however rarely they are seen (docs/reference/tag-record.md).
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tags/dicom_bytes.h"

namespace {

using namespace mercure::testing;
using nlohmann::json;
using namespace std::string_literals;

constexpr std::string_view kPixels = "\x01\x02\x03\x04";

std::string deflated(const std::string& data, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string explicit_big_identity() {
  return explicit_element(0x00080018, "UI", "1.2.3.4\0"s, true) + explicit_element(0x00080060, "CS", "CT", true) +
         explicit_element(0x00280010, "US", number(512, 2, true), true);
}

TEST(Record, HasKeywordsAndTextValues) {
  const json record = record_of_data_set(identity() + explicit_element(0x00280010, "US", number(512, 2)) +
                                         explicit_element(0x7FE00010, "OW", kPixels));
  EXPECT_EQ(record["TransferSyntaxUID"], kExplicitLittle);
  EXPECT_EQ(record["SOPInstanceUID"], "1.2.3.4");
  EXPECT_EQ(record["Rows"], "512");
  EXPECT_FALSE(record.contains("PixelData"));
  EXPECT_FALSE(record.contains("FileMetaInformationGroupLength"));
  EXPECT_FALSE(record.contains("DecodingProblems"));
}

TEST(Record, GivesTheIdentityToTheCaller) {
  const auto result = read(dicom_file(identity()));
  EXPECT_EQ(result.header.sop_instance, "1.2.3.4");
  EXPECT_EQ(result.header.study, "1.2.3");
  EXPECT_EQ(result.header.series, "1.2.3.9");
  EXPECT_EQ(result.header.patient_id, "P1");
  EXPECT_EQ(result.header.accession, "A1");
  EXPECT_EQ(result.header.modality, "CT");
  EXPECT_EQ(result.header.transfer_syntax, kExplicitLittle);
  EXPECT_EQ(result.header.data_set_offset, dicom_file("").size());
}

TEST(Record, TakesIdentityFromTheMetaHeaderOnlyWhereTheDataSetHasNone) {
  const std::string meta = explicit_element(0x00020003, "UI", "1.9\0"s) +
                           explicit_element(0x00020010, "UI", std::string(kExplicitLittle) + '\0');
  const std::string start = std::string(128, '\0') + "DICM" + meta;
  EXPECT_EQ(read(start + explicit_element(0x00080060, "CS", "CT")).header.sop_instance, "1.9");
  EXPECT_EQ(read(start + explicit_element(0x00080018, "UI", "")).header.sop_instance, "1.9");
  EXPECT_EQ(read(start + explicit_element(0x00080018, "UI", "1.8\0"s)).header.sop_instance, "1.8");
}

TEST(Record, AddsWhatTheCallerAdds) {
  const MemoryFile file(dicom_file(identity()));
  const auto result = mercure::tags::read_descriptor(
      file.descriptor(), {{"SenderAET", "S\xFF\n\"\\"}, {"FileSize", std::int64_t{5'000'000'000}}});
  const json record = json::parse(result.json);
  EXPECT_EQ(record["SenderAET"], "S\uFFFD\n\"\\");
  EXPECT_EQ(record["FileSize"], 5'000'000'000);
  EXPECT_EQ(result.json.find('\n'), std::string::npos);
}

TEST(Record, ShowsValuesInTheFormOfTheirVr) {
  const json record = record_of_data_set(
      explicit_element(0x00080008, "CS", "ORIGINAL\\PRIMARY") + explicit_element(0x00081030, "LO", "") +
      explicit_element(0x00104000, "LT", "a\\b ") + explicit_element(0x00280009, "AT", "\x18\x00\x63\x10"s) +
      explicit_element(0x00281052, "DS", " -1024") + explicit_element(0x00420011, "OB", "\x01\x02") +
      explicit_element(0x00420012, "LO", "A"));
  EXPECT_EQ(record["ImageType"], json::array({"ORIGINAL", "PRIMARY"}));
  EXPECT_EQ(record["StudyDescription"], "");
  EXPECT_EQ(record["PatientComments"], "a\\b");
  EXPECT_EQ(record["FrameIncrementPointer"], "0018,1063");
  EXPECT_EQ(record["RescaleIntercept"], "-1024");
  EXPECT_EQ(record["EncapsulatedDocument"], json({{"base64", "AQI="}}));
}

TEST(Record, ShowsAnEmptyBulkValueAsNoValue) {
  const json record = record_of_data_set(explicit_element(0x00090010, "LO", "ACME") + explicit_element(0x00091001, "UN", "") +
                                         explicit_element(0x00091002, "UN", "\0\0\0\0"s) + explicit_element(0x00420011, "OB", "") +
                                         explicit_element(0x00660016, "OF", "") + explicit_element(0x00281201, "OW", ""));
  EXPECT_EQ(record["0009,1001[ACME]"], "");
  EXPECT_EQ(record["0009,1002[ACME]"], json({{"base64", "AAAAAA=="}})) << "four zeros are a value";
  EXPECT_EQ(record["EncapsulatedDocument"], "");
  EXPECT_EQ(record["PointCoordinatesData"], "");
  EXPECT_EQ(record["RedPaletteColorLookupTableData"], "");
}

TEST(Record, LeavesLongBulkValuesOut) {
  const json record = record_of_data_set(explicit_element(0x00420011, "OB", std::string(1024, 'a')) +
                                         explicit_element(0x00420013, "SQ", "") +
                                         explicit_element(0x00660016, "OF", std::string(1028, '\1')) +
                                         explicit_element(0x00700022, "FL", std::string(4 * 1025, '\0')));
  EXPECT_EQ(record["EncapsulatedDocument"]["base64"].get<std::string>().size(), 1368U);
  EXPECT_FALSE(record.contains("PointCoordinatesData"));
  EXPECT_FALSE(record.contains("GraphicData"));
  EXPECT_FALSE(record.contains("DecodingProblems"));
  EXPECT_EQ(record["LeftOut"], json::array({"GraphicData", "PointCoordinatesData"}));
}

TEST(Record, NestsSequences) {
  const std::string inner = explicit_element(0x00080100, "SH", "T1");
  const std::string explicit_lengths = explicit_element(
      0x00321064, "SQ", item(inner) + item(explicit_element(0x00080104, "LO", "Head") + explicit_element(0x00321064, "SQ", item(inner))));
  const std::string open = explicit_header(0x00400275, "SQ", kUndefined) + open_sequence(open_item(inner) + open_item(""));
  const json record = record_of_data_set(explicit_lengths + open + explicit_element(0x00400555, "SQ", ""));
  EXPECT_EQ(record["RequestedProcedureCodeSequence"],
            json::parse(R"([{"CodeValue": "T1"}, {"CodeMeaning": "Head", "RequestedProcedureCodeSequence": [{"CodeValue": "T1"}]}])"));
  EXPECT_EQ(record["RequestAttributesSequence"], json::parse(R"([{"CodeValue": "T1"}, {}])"));
  EXPECT_EQ(record["AcquisitionContextSequence"], json::array());
}

TEST(Record, PassesOverPixelsInsideAnItem) {
  const std::string fragments = implicit_element(0xFFFEE000, "") + implicit_element(0xFFFEE000, "\xFE\xFF\xDD\xE0") +
                                implicit_header(0xFFFEE0DD, 0);
  const std::string icon = explicit_element(0x00280010, "US", number(64, 2)) +
                           explicit_header(0x7FE00010, "OB", kUndefined) + fragments;
  const json record = record_of_data_set(explicit_header(0x00880200, "SQ", kUndefined) + open_sequence(open_item(icon)) +
                                         explicit_element(0x00880904, "LO", "after"));
  EXPECT_EQ(record["IconImageSequence"], json::parse(R"([{"Rows": "64"}])"));
  EXPECT_EQ(record["TopicTitle"], "after");
}

TEST(Record, NamesPrivateElementsByTheirCreator) {
  const std::string inside = explicit_element(0x00290020, "LO", "OTHER") + explicit_element(0x00292001, "CS", "X");
  const json record = record_of_data_set(explicit_element(0x00290010, "LO", "SIEMENS CSA HEADER ") +
                                         explicit_element(0x00290011, "LO", "ACME") +
                                         explicit_element(0x00291008, "CS", "IMAGE NUM 4 ") +
                                         explicit_element(0x00291108, "DS", "1.5") +
                                         explicit_element(0x00291201, "LO", "nobody's") +
                                         explicit_element(0x00291110, "SQ", item(inside)));
  EXPECT_EQ(record["0029,0010[]"], "SIEMENS CSA HEADER");
  EXPECT_EQ(record["0029,1008[SIEMENS CSA HEADER]"], "IMAGE NUM 4");
  EXPECT_EQ(record["0029,1108[ACME]"], "1.5");
  EXPECT_EQ(record["0029,1201[]"], "nobody's");
  EXPECT_EQ(record["0029,1110[ACME]"][0]["0029,2001[OTHER]"], "X");
}

TEST(Record, UsesTheKeywordOfARepeatingGroupOnce) {
  const json record = record_of_data_set(explicit_element(0x60000010, "US", number(1, 2)) +
                                         explicit_element(0x60020010, "US", number(2, 2)));
  EXPECT_EQ(record["OverlayRows"], "1");
  EXPECT_EQ(record["6002,0010"], "2");
}

TEST(Record, NamesUnknownElementsByNumber) {
  EXPECT_EQ(record_of_data_set(explicit_element(0x00081FFF, "LO", "future"))["0008,1fff"], "future");
}

TEST(Record, ReadsVrsThatTheStandardDoesNotKnowYet) {
  const std::string future = tag(0x00081FFE) + "ZZ" + std::string(2, '\0') + number(4, 4) + "text";
  const json record = record_of_data_set(future + explicit_element(0x00081FFF, "LO", "after"));
  EXPECT_EQ(record["0008,1ffe"], "text");
  EXPECT_EQ(record["0008,1fff"], "after");
}

TEST(Record, DecodesEveryLevelInItsOwnCharacterSet) {
  const std::string name = explicit_element(0x00100010, "PN", "\xC4 ");
  const std::string own = explicit_element(0x00080005, "CS", "ISO_IR 144") + name;
  const json record = record_of_data_set(
      explicit_element(0x00080005, "CS", "ISO_IR 100") +
      explicit_element(0x00081115, "SQ", item(own) + item(name)) + name);
  EXPECT_EQ(record["ReferencedSeriesSequence"][0]["PatientName"], "Ф");
  EXPECT_EQ(record["ReferencedSeriesSequence"][1]["PatientName"], "Ä");
  EXPECT_EQ(record["PatientName"], "Ä");
}

TEST(Record, NamesWhatCouldNotBeDecodedWithItsPlace) {
  const std::string name = explicit_element(0x00100010, "PN", "\xC4 ");
  const json record = record_of_data_set(explicit_element(0x00081115, "SQ", item(name)) + name);
  EXPECT_EQ(record["PatientName"], "\uFFFD");
  EXPECT_EQ(record["DecodingProblems"], json::array({"ReferencedSeriesSequence.PatientName: not valid in ISO_IR 6",
                                                     "PatientName: not valid in ISO_IR 6"}));
}

TEST(ImplicitVr, IsReadByTheDictionaries) {
  const std::string sequence = implicit_element(0x00321064, item(implicit_element(0x00080100, "T1")));
  const json record = record_of(dicom_file(
      implicit_element(0x00080060, "MR") + implicit_element(0x00290010, "ACME") + implicit_element(0x00291001, "text") +
      implicit_element(0x00291002, "\x01\x02\x03\x04"s) + implicit_element(0x00280010, number(512, 2)) +
      implicit_element(0x00280103, number(1, 2)) + implicit_element(0x00280106, "\xFF\xFF") + sequence, kImplicitLittle));
  EXPECT_EQ(record["Modality"], "MR");
  EXPECT_EQ(record["0029,1001[ACME]"], "text");
  EXPECT_EQ(record["0029,1002[ACME]"], json({{"base64", "AQIDBA=="}}));
  EXPECT_EQ(record["Rows"], "512");
  EXPECT_EQ(record["SmallestImagePixelValue"], "-1");
  EXPECT_EQ(record["RequestedProcedureCodeSequence"][0]["CodeValue"], "T1");
}

TEST(ImplicitVr, OfASequenceWhoseItemsHaveVrs) {
  const std::string uids = explicit_element(0x00081150, "UI", "1.2.3\0"s) + explicit_element(0x00081155, "UI", "1.2.4\0"s);
  const std::string date = explicit_element(0x00080012, "DA", "20260101") + explicit_element(0x00081155, "UI", "1.2.5\0"s);
  const std::string alone = explicit_element(0x00080012, "DA", "20260102");
  const std::string items = open_item(uids) + item(uids) + item(date) + open_item(date) + open_item(alone) + item(alone);
  const std::string pixels = implicit_element(0x7FE00010, std::string(2'000'000, 'p'));
  const std::string after = implicit_element(0x00280010, number(512, 2)) + pixels;
  for (const std::string& sequence : {implicit_header(0x00081140, kUndefined) + open_sequence(items), implicit_element(0x00081140, items)}) {
    const json record = record_of(dicom_file(sequence + after, kImplicitLittle));
    const json& shown = record["ReferencedImageSequence"];
    ASSERT_EQ(shown.size(), 6U) << record;
    EXPECT_EQ(shown[0]["ReferencedSOPInstanceUID"], "1.2.4");
    EXPECT_EQ(shown[1], shown[0]);
    EXPECT_EQ(shown[2], json({{"InstanceCreationDate", "20260101"}, {"ReferencedSOPInstanceUID", "1.2.5"}}));
    EXPECT_EQ(shown[3], shown[2]);
    EXPECT_EQ(shown[4], json({{"InstanceCreationDate", "20260102"}}));
    EXPECT_EQ(shown[5], shown[4]);
    EXPECT_EQ(record["Rows"], "512");
    EXPECT_FALSE(record.contains("DecodingProblems"));
  }
}

TEST(ImplicitVr, OfALengthThatLooksLikeAVrIsALength) {
  std::string contour;
  while (contour.size() < 0x5344) contour += "12.5\\-3.25\\0\\";
  contour.resize(0x5344);  // "DS"
  const std::string data = implicit_element(0x30060050, contour);
  for (const std::string& sequence : {implicit_header(0x30060040, kUndefined) + open_sequence(open_item(data) + item(data)),
                                      implicit_element(0x30060040, item(data) + item(data))}) {
    const json record = record_of(dicom_file(implicit_element(0x00080060, "RTSTRUCT") + sequence, kImplicitLittle));
    ASSERT_EQ(record["ContourSequence"].size(), 2U) << record.dump().substr(0, 300);
    EXPECT_EQ(record["ContourSequence"][0]["ContourData"][1], "-3.25");
    EXPECT_EQ(record["ContourSequence"][1], record["ContourSequence"][0]);
  }
}

TEST(ImplicitVr, OfAKnownPrivateCreatorHasItsVr) {
  const std::string creator = implicit_element(0x00090012, "GEMS_GENIE_1");
  const json record = record_of(dicom_file(creator + implicit_element(0x0009122E, number(0x3FF0000000000000, 8)) +
                                           implicit_element(0x0009132E, number(0x3FF0000000000000, 8)), kImplicitLittle));
  EXPECT_EQ(record["0009,122e[GEMS_GENIE_1]"], "1");
  EXPECT_EQ(record["0009,132e[]"], json({{"base64", "AAAAAAAA8D8="}}));
}

TEST(UnknownVr, IsReadByTheDictionariesToo) {
  const std::string sequence = implicit_element(0xFFFEE000, implicit_element(0x00080100, "T1"));
  const json record = record_of_data_set(
      explicit_element(0x00080060, "UN", "CT") + explicit_element(0x00280010, "UN", number(512, 2)) +
      explicit_element(0x00321064, "UN", sequence) +
      explicit_header(0x00400275, "UN", kUndefined) + open_sequence(open_item(implicit_element(0x00080100, "T2"))));
  EXPECT_EQ(record["Modality"], "CT");
  EXPECT_EQ(record["Rows"], "512");
  EXPECT_EQ(record["RequestedProcedureCodeSequence"][0]["CodeValue"], "T1");
  EXPECT_EQ(record["RequestAttributesSequence"][0]["CodeValue"], "T2");
}

TEST(UnknownVr, HoldingASequenceInExplicitVrIsReadAsThat) {
  const json record = record_of_data_set(explicit_header(0x00400275, "UN", kUndefined) +
                                         open_sequence(open_item(explicit_element(0x00080100, "SH", "T2"))));
  EXPECT_EQ(record["RequestAttributesSequence"][0]["CodeValue"], "T2");
}

TEST(BigEndian, IsRead) {
  const json record = record_of(dicom_file(explicit_big_identity(), kExplicitBig));
  EXPECT_EQ(record["Rows"], "512");
  EXPECT_EQ(record["Modality"], "CT");
}

TEST(Deflated, IsReadWithAndWithoutZlibHeader) {
  for (const int window_bits : {-MAX_WBITS, MAX_WBITS}) {
    const std::string data_set = identity() + explicit_element(0x7FE00010, "OW", std::string(60'000, '\7'));
    const json record = record_of(dicom_file(deflated(data_set, window_bits), kDeflated));
    EXPECT_EQ(record["SOPInstanceUID"], "1.2.3.4");
  }
}

TEST(UnknownTransferSyntax, IsReadAsExplicitLittleEndian) {
  for (const auto* syntax : {"1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.9999", "1.3.6.1.4.1.99999.1"}) {
    const json record = record_of(dicom_file(identity(), syntax));
    EXPECT_EQ(record["SOPInstanceUID"], "1.2.3.4");
    EXPECT_EQ(record["TransferSyntaxUID"], syntax);
  }
}

TEST(GePrivateBigEndianPixels, HaveAnImplicitHeader) {
  EXPECT_EQ(record_of(dicom_file(implicit_element(0x00080060, "CT"), "1.2.840.113619.5.2"))["Modality"], "CT");
}

TEST(FileStart, MayLackPreambleOrMetaHeader) {
  const std::string whole = dicom_file(identity());
  EXPECT_EQ(record_of(whole.substr(132))["SOPInstanceUID"], "1.2.3.4");   // no preamble, no DICM
  EXPECT_EQ(record_of(whole.substr(128))["SOPInstanceUID"], "1.2.3.4");   // DICM at once
  EXPECT_EQ(record_of(std::string(128, '\0') + "DICM" + identity())["SOPInstanceUID"], "1.2.3.4");
  const json bare = record_of(identity());
  EXPECT_EQ(bare["SOPInstanceUID"], "1.2.3.4");
  EXPECT_EQ(bare["DecodingProblems"], json::array({"the transfer syntax is not named; read as 1.2.840.10008.1.2.1"}));
  EXPECT_EQ(record_of(explicit_big_identity())["Rows"], "512");
  EXPECT_EQ(record_of(implicit_element(0x00080060, "CT"))["Modality"], "CT");
}

TEST(FileStart, NeedsNoRightGroupLength) {
  for (const std::uint32_t length : {0U, 7U, 100'000U, 0xFFFFFFFFU}) {
    const std::string meta = explicit_element(0x00020000, "UL", number(length, 4)) +
                             explicit_element(0x00020010, "UI", std::string(kExplicitLittle) + '\0');
    EXPECT_EQ(record_of(std::string(128, '\0') + "DICM" + meta + identity())["SOPInstanceUID"], "1.2.3.4") << length;
  }
}

TEST(FileStart, IsCorrectedWhereTheTransferSyntaxIsWrong) {
  const json no_vrs = record_of(dicom_file(implicit_element(0x00080060, "CT"), kExplicitLittle));
  EXPECT_EQ(no_vrs["Modality"], "CT");
  EXPECT_EQ(no_vrs["DecodingProblems"], json::array({"the data set has no VRs, against its transfer syntax"}));
  const json vrs = record_of(dicom_file(identity(), kImplicitLittle));
  EXPECT_EQ(vrs["Modality"], "CT");
  EXPECT_EQ(vrs["DecodingProblems"], json::array({"the data set has VRs, against its transfer syntax"}));
}

TEST(Sop, IsReadWithoutReadingOn) {
  // Group 0009 makes no sense; who asks only for the SOP instance does not get that far.
  const MemoryFile file(dicom_file(explicit_element(0x00080018, "UI", "1.2.3.4\0"s) + explicit_header(0x00090010, "LO", 9)));
  const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor());
  EXPECT_FALSE(mercure::tags::read_file(path).ok);
  const auto result = mercure::tags::read_sop(path);
  EXPECT_TRUE(result.ok) << result.reason;
  EXPECT_EQ(result.header.sop_instance, "1.2.3.4");
}

nlohmann::json assuming(std::string_view data_set, const std::string& character_set) {
  const MemoryFile file(dicom_file(data_set));
  const auto result = mercure::tags::read_descriptor(file.descriptor(), {}, {}, character_set);
  EXPECT_TRUE(result.ok) << result.reason;
  return nlohmann::json::parse(result.json);
}

TEST(AssumedCharacterSet, CountsWhereTheImageNamesNone) {
  const std::string image = explicit_element(0x00080018, "UI", "1.2.3.4 ");
  const std::string name = explicit_element(0x00100010, "PN", "M\xFCller");
  const auto record = assuming(image + name + explicit_element(0x00104000, "LT", "plain "), "ISO_IR 100");
  EXPECT_EQ(record["PatientName"], "M\u00fcller");
  EXPECT_EQ(record["DecodingProblems"], nlohmann::json::array({"PatientName: no character set, read as ISO_IR 100"}));
  EXPECT_EQ(assuming(explicit_element(0x00080005, "CS", "") + image + name, "ISO_IR 100")["PatientName"], "M\u00fcller");
  EXPECT_EQ(assuming(image + explicit_element(0x00100010, "PN", "\xB8\xD2\xD0\xDD\xDE\xD2"), "ISO_IR 144")["PatientName"], "\u0418\u0432\u0430\u043d\u043e\u0432");
  const std::string yamada = explicit_element(0x00100010, "PN", "\x1B$B;3\x1B(B ");
  EXPECT_EQ(assuming(image + yamada, "ISO 2022 IR 6\\ISO 2022 IR 87")["PatientName"], "\u5c71");
}

TEST(AssumedCharacterSet, CountsInItemsToo) {
  const std::string name = explicit_element(0x00081030, "LO", "M\xFC");
  const std::string items = explicit_header(0x00400275, "SQ", kUndefined) + open_sequence(item(name));
  const auto record = assuming(explicit_element(0x00080018, "UI", "1.2.3.4 ") + items, "ISO_IR 100");
  EXPECT_EQ(record["RequestAttributesSequence"][0]["StudyDescription"], "M\u00fc");
}

TEST(AssumedCharacterSet, GivesWayToWhatTheImageSays) {
  const std::string utf8 = explicit_element(0x00080005, "CS", "ISO_IR 192") + explicit_element(0x00080018, "UI", "1.2.3.4 ");
  const auto record = assuming(utf8 + explicit_element(0x00100010, "PN", "M\xC3\xBCller "), "ISO_IR 100");
  EXPECT_EQ(record["PatientName"], "M\u00fcller");
  EXPECT_FALSE(record.contains("DecodingProblems"));
}

TEST(NoCharacterSet, IsReadWhereThereIsOneWayTo) {
  const std::string image = explicit_element(0x00080018, "UI", "1.2.3.4 ");
  const auto name = [&](std::string_view bytes) { return assuming(image + explicit_element(0x00100010, "PN", bytes), "")["PatientName"]; };
  EXPECT_EQ(name("M\xC3\xBCller "), "M\u00fcller");
  EXPECT_EQ(name("\x1B$B;3\x1B(B "), "\u5c71");
  EXPECT_EQ(name("M\xFCller"), "M\uFFFDller");  // Latin-1 or -2, -9, -15: nobody knows
  EXPECT_EQ(name("A\x1B[31m "), "A\x1B[31m");
}

}  // namespace
