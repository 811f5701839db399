// A part: whatever its size, the file holds the digest of the bytes that were added.
#include "receive/part.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "receive/temporary_folder.h"

namespace mercure::receive {
namespace {

constexpr char kReceived[] = "2026-11-29T12:00:00.123456Z";

MetaHeader header() {
  MetaHeader made;
  made.sop = {"1.2.840.10008.5.1.4.1.1.2", "1.2.3"};
  made.transfer_syntax = "1.2.840.10008.1.2.1";
  made.received = "2026-11-29T11:00:00.000000Z";
  return made;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 997);
  return bytes;
}

// Adds `bytes` in pieces.
void fill(Part& part, std::string_view bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) part.add(bytes.substr(at, piece));
}

void expect_whole(const Part& part, const std::string& bytes) {
  const std::string content = content_of(part.path());
  const auto found = receipt::read(part.descriptor());
  ASSERT_EQ(found.state, receipt::State::sound);
  EXPECT_EQ(found.data_digest, Digest::of(bytes));
  EXPECT_EQ(part.data_digest(), Digest::of(bytes));
  EXPECT_EQ(content.substr(found.header_size), bytes);
  EXPECT_EQ(content.size(), part.size());
  EXPECT_EQ(part.data_set_size(), bytes.size());
  EXPECT_NE(content.find(kReceived), std::string::npos);
}

TEST(Parts, HoldTheDigestOfWhatWasAdded) {
  const tests::TemporaryFolder folder;
  std::string buffer;
  for (const std::size_t size : {0U, 1U, 1000U, 262'144U, 300'000U, 3'000'001U}) {
    for (const std::size_t piece : {16'370U, 100'000U}) {
      Part part(folder / "000001.part", header(), buffer);
      const std::string bytes = bytes_of(size);
      fill(part, bytes, piece);
      part.finish(kReceived);
      expect_whole(part, bytes);
    }
  }
}

TEST(Parts, KeepTheDigestWhenTheirHeaderIsCorrected) {
  const tests::TemporaryFolder folder;
  std::string buffer;
  for (const std::size_t size : {1000U, 3'000'001U}) {
    Part part(folder / "000001.part", header(), buffer);
    const std::string bytes = bytes_of(size);
    fill(part, bytes, 70'000);
    part.finish(kReceived);
    part.correct({"1.2.840.10008.5.1.4.1.1.4", "9.8.7.6.5.4.3.2.1"});
    expect_whole(part, bytes);
    const std::string content = content_of(part.path());
    EXPECT_NE(content.find("\"class\":\"1.2.840.10008.5.1.4.1.1.2\",\"instance\":\"1.2.3\",\"data\""), std::string::npos);
    EXPECT_NE(content.find("9.8.7.6.5.4.3.2.1"), std::string::npos);
  }
}

}  // namespace
}  // namespace mercure::receive
