#include "receive/meta_header.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(MetaHeaders, AreReadAsTheyWereWritten) {
  const tests::TemporaryFolder folder;
  const std::string header = encode({"1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "SCANNER"});
  file_with(folder / "a", header + kDataSet);
  const auto record = tags::read_file(folder / "a");
  ASSERT_TRUE(record.ok) << record.reason;
  EXPECT_EQ(record.header.data_set_offset, header.size());
  EXPECT_EQ(record.header.sop_class, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(record.header.transfer_syntax, "1.2.840.10008.1.2.1");
  EXPECT_NE(record.json.find(kImplementationClassUid), std::string::npos);
  EXPECT_NE(record.json.find("SCANNER"), std::string::npos);
  EXPECT_EQ(header.size() % 2, 0U);
}

TEST(MetaHeaders, HostileUidsKeepTheirForm) {
  const tests::TemporaryFolder folder;
  const std::string header = encode({"", std::string(65'000, 'x'), "1.2.840.10008.1.2.1", ""});
  file_with(folder / "a", header + kDataSet);
  const auto record = tags::read_file(folder / "a");
  EXPECT_TRUE(record.ok) << record.reason;
  EXPECT_EQ(record.header.data_set_offset, header.size());
}

TEST(SameImages, DifferInDataSetOrTransferSyntaxOnly) {
  const tests::TemporaryFolder folder;
  const MetaHeader one{"1.2", "1.2.3", "1.2.840.10008.1.2.1", "SCANNER"};
  MetaHeader other = one;
  other.source_aet = "ANOTHER_SCANNER";
  MetaHeader big_endian = one;
  big_endian.transfer_syntax = "1.2.840.10008.1.2.2";
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
  const std::string start = encode({"1.2", "1.2.3", "1.2.840.10008.1.2.1", ""});
  const std::string body(3'500'000, 'p');
  const Descriptor base = file_with(folder / "base", start + body + "1");
  EXPECT_TRUE(same_image(base.get(), file_with(folder / "same", start + body + "1").get()));
  EXPECT_FALSE(same_image(base.get(), file_with(folder / "last", start + body + "2").get()));
}

}  // namespace
}  // namespace mercure::receive
