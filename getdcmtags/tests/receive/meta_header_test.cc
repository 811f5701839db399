#include "receive/meta_header.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <utility>

#include "durable.h"
#include "receive/same_image.h"
#include "receive/temporary_folder.h"
#include "tags/tag_record.h"

namespace mercure::receive {
namespace {

using namespace std::string_literals;

const std::string kDataSet = "\x08\0\x18\0UI\6\0" "1.2.3\0\x20\0\x0e\0UI\4\0" "1.4\0"s;

Descriptor file_with(const std::string& path, const std::string& bytes) {
  Descriptor file = durable::create_file(path);
  durable::write(file.get(), bytes, path);
  return file;
}

MetaHeader header_of(std::string transfer_syntax = "1.2.840.10008.1.2.1") {
  MetaHeader header;
  header.sop = {"1.2.840.10008.5.1.4.1.1.2", "1.2.3"};
  header.transfer_syntax = std::move(transfer_syntax);
  header.sender = {"20261129T115959000000-0000000b", "192.0.2.7", "SCANNER", "MERCURE"};
  header.image = "20261129T120000000000-0000000a";
  header.received = "2026-11-29T12:00:00.123456Z";
  header.data_digest = Digest::of(kDataSet);
  return header;
}

// What the reader of receipts finds in a file of these bytes.
receipt::Found found_in(const std::string& bytes) {
  const Descriptor file(memfd_create("image", MFD_CLOEXEC));
  durable::write(file.get(), bytes, "image");
  return receipt::read(file.get());
}

TEST(MetaHeaders, AreReadAsTheyWereWritten) {
  const tests::TemporaryFolder folder;
  const std::string header = encode(header_of());
  file_with(folder / "a", header + kDataSet);
  const auto record = tags::read_file(folder / "a");
  ASSERT_TRUE(record.ok) << record.reason;
  EXPECT_EQ(record.header.data_set_offset, header.size());
  EXPECT_EQ(record.header.sop_class, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(record.header.transfer_syntax, "1.2.840.10008.1.2.1");
  EXPECT_NE(record.json.find(kImplementationClassUid), std::string::npos);
  EXPECT_NE(record.json.find("SCANNER"), std::string::npos);
  EXPECT_EQ(record.json.find("192.0.2.7"), std::string::npos) << "the receipt is no part of the record";
  EXPECT_EQ(record.json.find("PrivateInformation"), std::string::npos);
  EXPECT_EQ(header.size() % 2, 0U);
}

TEST(MetaHeaders, AreCompletedAsIfTheyHadBeenWrittenSo) {
  MetaHeader whole = header_of();
  whole.sender.calling_aet = ",\"received\":\"x";
  whole.sender.called_aet = ",\"data\":\"";
  for (const bool corrected : {false, true}) {
    if (corrected) whole.command = SopUids{",\"received\":\"", "\",\"received\":\"2026"};
    MetaHeader early = whole;
    early.received = "2026-11-29T11:00:00.000000Z";
    early.data_digest = std::string(Digest::kDigits, '0');
    std::string header = encode(early);
    EXPECT_NE(header, encode(whole));
    receipt::complete(header, whole.received, whole.data_digest);
    EXPECT_EQ(header, encode(whole));
  }
}

TEST(MetaHeaders, ValuesAreNoLongerThanTheirVr) {
  MetaHeader header = header_of();
  header.sop = {std::string(64, '1'), std::string(65, '1')};
  header.sender.calling_aet = "SEVENTEEN_LETTERS";
  header.command = SopUids{std::string(70'000, '2'), "\xff\"\n"};
  const std::string bytes = encode(header);
  EXPECT_NE(bytes.find(std::string("\x02\0\x02\0UI\x40\0", 8) + std::string(64, '1')), std::string::npos);
  EXPECT_EQ(bytes.find(std::string("\x02\0\x03\0", 4)), std::string::npos);
  EXPECT_NE(bytes.find(std::string("\x02\0\x16\0AE\x10\0SEVENTEEN_LETTER\x02", 25)), std::string::npos);
  EXPECT_NE(bytes.find("\"class\":\"" + std::string(1024, '2') + "\",\"instance\":\"\xEF\xBF\xBD\\\"\\n\",\"data\""), std::string::npos);
  EXPECT_EQ(found_in(bytes + kDataSet).state, receipt::State::sound);
}

TEST(Receipts, AreFound) {
  const auto found = found_in(encode(header_of()) + kDataSet);
  EXPECT_EQ(found.state, receipt::State::sound);
  EXPECT_EQ(found.data_digest, Digest::of(kDataSet));
  EXPECT_EQ(found.header_size, encode(header_of()).size());
}

TEST(Receipts, AreNotBelievedWithAnyBitOfTheHeaderFlipped) {
  const std::string header = encode(header_of());
  const std::size_t digits = header.find(",\"data\":\"") + 9;
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    std::string changed = header;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    const auto found = found_in(changed + kDataSet);
    if (bit / 8 >= digits && bit / 8 < digits + Digest::kDigits) {
      EXPECT_NE(found.data_digest, Digest::of(kDataSet)) << bit;
    } else {
      EXPECT_EQ(found.state, receipt::State::altered) << bit;
    }
  }
}

TEST(Receipts, AreMissedInATornHeader) {
  const std::string header = encode(header_of());
  for (std::size_t size = header.size() - 100; size < header.size(); ++size) {
    EXPECT_EQ(found_in(header.substr(0, size)).state, receipt::State::altered) << size;
  }
}

TEST(Receipts, OfTheDataSetAreNotBelieved) {
  MetaHeader forged = header_of("1.2.840.10008.1.2.2");
  forged.sender.address = "203.0.113.9";
  const std::string inner = encode(forged);
  const std::string header = encode(header_of());
  for (const std::string& data_set : {inner.substr(132) + kDataSet, inner + kDataSet}) {
    EXPECT_EQ(found_in(header + data_set).header_size, header.size());
    EXPECT_EQ(found_in(header + data_set).state, receipt::State::sound);
  }
  const tests::TemporaryFolder folder;
  file_with(folder / "a", header + inner.substr(132) + kDataSet);
  const auto record = tags::read_file(folder / "a");
  ASSERT_TRUE(record.ok) << record.reason;
  EXPECT_EQ(record.header.data_set_offset, header.size());
  EXPECT_EQ(record.header.transfer_syntax, "1.2.840.10008.1.2.1");
  EXPECT_EQ(record.header.sop_instance, "1.2.3");
  EXPECT_NE(record.json.find("a meta header in the data set"), std::string::npos);
}

TEST(Receipts, AreNotInOtherFiles) {
  EXPECT_EQ(found_in("").state, receipt::State::none);
  EXPECT_EQ(found_in("short").state, receipt::State::none);
  EXPECT_EQ(found_in(kDataSet).state, receipt::State::none);
  EXPECT_EQ(found_in(std::string(128, '\0') + "DICM" + kDataSet).state, receipt::State::none);
  EXPECT_EQ(receipt::read(-1).state, receipt::State::unreadable);
}

TEST(MetaHeaders, HostileUidsKeepTheirForm) {
  const tests::TemporaryFolder folder;
  MetaHeader hostile = header_of();
  hostile.sop = {"", std::string(65'535, 'x')};
  hostile.sender = {};
  const std::string header = encode(hostile);
  file_with(folder / "a", header + kDataSet);
  const auto record = tags::read_file(folder / "a");
  EXPECT_TRUE(record.ok) << record.reason;
  EXPECT_EQ(record.header.data_set_offset, header.size());
}

TEST(SameImages, DifferInDataSetOrTransferSyntaxOnly) {
  const tests::TemporaryFolder folder;
  const MetaHeader one = header_of();
  MetaHeader other = one;
  other.sender.calling_aet = "ANOTHER_SCANNER";
  const MetaHeader big_endian = header_of("1.2.840.10008.1.2.2");
  std::string changed = kDataSet;
  changed.back() = '5';
  const Descriptor base = file_with(folder / "base", encode(one) + kDataSet);
  EXPECT_TRUE(same_image(base.get(), base.get()));
  EXPECT_TRUE(same_image(base.get(), file_with(folder / "sender", encode(other) + kDataSet).get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "changed", encode(one) + changed).get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "longer", encode(one) + kDataSet + "x").get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "syntax", encode(big_endian) + kDataSet).get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "no dicom", "short").get()));
  EXPECT_FALSE(same_image(base.get(), -1));
}

TEST(SameImages, LargeOnesAreComparedToTheEnd) {
  const tests::TemporaryFolder folder;
  const std::string start = encode(header_of());
  const std::string body(3'500'000, 'p');
  const Descriptor base = file_with(folder / "base", start + body + "1");
  EXPECT_TRUE(same_image(base.get(), file_with(folder / "same", start + body + "1").get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "last", start + body + "2").get()));
}

}  // namespace
}  // namespace mercure::receive
