#include "storescu/data_set_reader.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "descriptor.h"
#include "storescu/list.h"

namespace {

using namespace mercure::storescu;
using mercure::Descriptor;
using mercure::Digest;

constexpr std::size_t kHeader = 100;
const std::string kData(3'000'001, 'p');

Descriptor file_with(const std::string& bytes) {
  Descriptor file(memfd_create("image", MFD_CLOEXEC));
  EXPECT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

Image image(std::string digest) {
  Image made;
  made.data_set_offset = kHeader;
  made.data_digest = std::move(digest);
  return made;
}

TEST(DataSetReaders, TellWhatIsAsReceived) {
  const Descriptor file = file_with(std::string(kHeader, 'h') + kData);
  EXPECT_FALSE(fault_of(file.get(), image(Digest::of(kData))));
  EXPECT_FALSE(fault_of(file.get(), image(""))) << "without a digest nothing can be said";
  const Fault fault = fault_of(file.get(), image(Digest::of("other")));
  EXPECT_EQ(fault.cause, Cause::altered);
  EXPECT_NE(fault.text.find("bytes 100 to 3000101"), std::string::npos) << fault.text;
}

TEST(DataSetReaders, OfDifferentPiecesSeeTheSame) {
  const Descriptor file = file_with(std::string(kHeader, 'h') + kData);
  const Image made = image(Digest::of(kData));
  DataSetReader reader(file.get(), made, kHeader + kData.size());
  std::string buffer(131'066, '\0');
  while (reader.left() > 0) ASSERT_TRUE(reader.read(buffer.data(), std::min<std::size_t>(buffer.size(), reader.left())));
  EXPECT_TRUE(reader.is_as_received());
}

TEST(DataSetReaders, OfAFileThatBecomesShorterSayWhere) {
  const Descriptor file = file_with(std::string(kHeader, 'h') + kData);
  const Image made = image("");
  DataSetReader reader(file.get(), made, kHeader + kData.size());
  ASSERT_EQ(ftruncate(file.get(), 500), 0);
  EXPECT_FALSE(reader.check());
  EXPECT_EQ(reader.fault().cause, Cause::local);
  EXPECT_NE(reader.fault().text.find("at byte 500 of the file"), std::string::npos) << reader.fault().text;
}

TEST(DataSetReaders, ThatCannotReadSayWhere) {
  const Image made = image("");
  DataSetReader reader(-1, made, kHeader + kData.size());
  std::string buffer(10, '\0');
  EXPECT_FALSE(reader.read(buffer.data(), buffer.size()));
  EXPECT_EQ(reader.fault().cause, Cause::local);
  EXPECT_NE(reader.fault().text.find("at byte 100 of the file"), std::string::npos) << reader.fault().text;
}

TEST(Lines, MaySayTheDigest) {
  const std::string digits = Digest::of("");
  EXPECT_EQ(parse_line("/a/1.dcm").path, "/a/1.dcm");
  EXPECT_EQ(parse_line("/a/1.dcm").data_digest, "");
  EXPECT_EQ(parse_line("/a/1.dcm\txxh3-128:" + digits).path, "/a/1.dcm");
  EXPECT_EQ(parse_line("/a/1.dcm\txxh3-128:" + digits).data_digest, digits);
  for (const std::string& name : {"/a\txxh3-128:" + digits + ".dcm", "/a\txxh3-128:" + digits.substr(1), "\txxh3-128:" + digits,
                                  "/a\txxh3-128:" + digits.substr(1) + "X"}) {
    EXPECT_EQ(parse_line(name).path, name);
  }
}

}  // namespace
