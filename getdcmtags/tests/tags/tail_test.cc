// Pixel data that are not whole are named, and the image all the same; those that are whole are not.
#include <gtest/gtest.h>

#include <string>

#include "dicom_bytes.h"

namespace mercure::testing {
namespace {

constexpr std::string_view kRle = "1.2.840.10008.1.2.5";
constexpr std::string_view kVideo = "1.2.840.10008.1.2.4.102";
constexpr std::string_view kPrivate = "1.2.3.4.5.99";

struct Shape {
  unsigned rows = 4;
  unsigned columns = 3;
  unsigned samples = 1;
  unsigned bits = 16;
  std::string frames = {};
  std::string photometric = "MONOCHROME2 ";
};

std::string described(const Shape& shape, bool big_endian = false) {
  const auto us = [&](std::uint32_t tag, unsigned value) { return explicit_element(tag, "US", number(value, 2, big_endian), big_endian); };
  std::string data = us(0x00280002, shape.samples) + explicit_element(0x00280004, "CS", shape.photometric, big_endian);
  if (!shape.frames.empty()) data += explicit_element(0x00280008, "IS", shape.frames, big_endian);
  return data + us(0x00280010, shape.rows) + us(0x00280011, shape.columns) + us(0x00280100, shape.bits);
}

std::string pixels(std::size_t bytes, std::string_view vr = "OW", std::uint32_t tag = 0x7FE00010) {
  return explicit_element(tag, vr, std::string(bytes, 'p'));
}

std::string fragments(unsigned count, bool ended = true) {
  std::string data = explicit_header(0x7FE00010, "OB", kUndefined) + item("");
  for (unsigned i = 0; i < count; ++i) data += item("pp");
  return ended ? data + implicit_header(0xFFFEE0DD, 0) : data;
}

std::string shortage(std::string_view data, std::string_view syntax = kExplicitLittle, const mercure::tags::Limits& limits = {}) {
  const auto result = read(dicom_file(identity() + std::string(data), syntax), limits);
  EXPECT_TRUE(result.ok) << result.reason;
  EXPECT_EQ(result.header.sop_instance, "1.2.3.4");
  return result.shortage;
}

TEST(WholePixels, AreNotComplainedOf) {
  EXPECT_EQ(shortage(described({}) + pixels(24)), "");
  EXPECT_EQ(shortage(described({}) + pixels(26)), "");  // padding
  EXPECT_EQ(shortage(described({}) + pixels(24) + std::string(300, '\0')), "");
  EXPECT_EQ(shortage(described({.samples = 3, .bits = 8, .photometric = "RGB "}) + pixels(36)), "");
  EXPECT_EQ(shortage(described({.samples = 3, .bits = 8, .photometric = "YBR_FULL_422"}) + pixels(24)), "");
  EXPECT_EQ(shortage(described({.bits = 1, .frames = "3 "}) + pixels(6)), "");  // 36 bits, padded
  EXPECT_EQ(shortage(described({.bits = 32}) + pixels(48, "OF", 0x7FE00008)), "");
  EXPECT_EQ(shortage(described({.frames = "2 "}) + fragments(2), kRle), "");
  EXPECT_EQ(shortage(described({.frames = "2 "}) + fragments(5), kRle), "");
  EXPECT_EQ(shortage(described({.frames = "200 "}) + fragments(1), kVideo), "");
}

TEST(WholePixels, AreNotAskedForWhereThereAreNone) {
  EXPECT_EQ(shortage(""), "");
  EXPECT_EQ(shortage(described({.bits = 0})), "");  // a spectrum
  EXPECT_EQ(shortage(described({}) + explicit_element(0x00287FE0, "UR", "https://x/y ")), "");
  EXPECT_EQ(shortage(pixels(2)), "");
  EXPECT_EQ(shortage(described({.frames = "x "}) + pixels(2)), "");
}

// Nobody knows how much of them makes an image.
TEST(WholePixels, AreNotCountedInATransferSyntaxThatIsNotTheStandards) {
  for (const std::string_view syntax : {kPrivate, std::string_view("1.2.840.113619.5.2")}) {
    EXPECT_EQ(shortage(described({}) + pixels(2), syntax), "") << syntax;
    EXPECT_EQ(shortage(described({.frames = "10"}) + pixels(24), syntax), "") << syntax;
    EXPECT_EQ(shortage(described({.frames = "2 "}) + fragments(0), syntax), "") << syntax;
    EXPECT_EQ(shortage(described({}), syntax), "") << syntax;
  }
  EXPECT_EQ(shortage(described({}) + pixels(2), kRle), "");
  EXPECT_EQ(shortage(described({}) + pixels(2), "1.2.840.10008.1.2.4.90"), "");
}

// The limits are ours: what lies behind them may be whole.
TEST(WholePixels, BehindALimitAreNotCalledDamaged) {
  mercure::tags::Limits limits;
  limits.elements = 30;
  EXPECT_EQ(shortage(described({.frames = "50"}) + fragments(50), kRle, limits), "");
  limits = {};
  limits.header_bytes = 1'000;
  const std::string cut = explicit_element(0x00400280, "ST", std::string(990, 'a')) + explicit_element(0x00400281, "LO", std::string(900, 'b'));
  EXPECT_EQ(shortage(described({}) + cut + pixels(24), kExplicitLittle, limits), "");
}

TEST(ShortPixels, AreCounted) {
  EXPECT_EQ(shortage(described({}) + pixels(22)), "the pixel data has 22 of 24 bytes");
  EXPECT_EQ(shortage(described({}) + pixels(0)), "the pixel data has 0 of 24 bytes");
  EXPECT_EQ(shortage(described({.frames = "10"}) + pixels(24)), "the pixel data has 24 of 240 bytes");
  EXPECT_EQ(shortage(described({.bits = 1, .frames = "3 "}) + pixels(4)), "the pixel data has 4 of 5 bytes");
  EXPECT_EQ(shortage(described({})), "the pixel data is missing");
}

TEST(ShortPixels, ThatBreakOffAreNamed) {
  const std::string data = described({}) + pixels(24);
  EXPECT_EQ(shortage(data.substr(0, data.size() - 1)), "the data set breaks off within the pixel data, which was to have 24 bytes");
  EXPECT_EQ(shortage(data.substr(0, data.size() - 24)), "the data set breaks off within the pixel data, which was to have 24 bytes");
  EXPECT_EQ(shortage(pixels(9'000).substr(0, 5'000)), "the data set breaks off within the pixel data, which was to have 9000 bytes");
  EXPECT_EQ(shortage(data + explicit_header(0xFFFCFFFC, "OB", 8)), "the data set breaks off within element fffc,fffc");
}

TEST(ShortPixels, InFragmentsAreNamed) {
  const std::string data = described({.frames = "2 "}) + fragments(2, false);
  EXPECT_EQ(shortage(data, kRle), "the pixel data has no end: it breaks off after 3 fragments");
  EXPECT_EQ(shortage(data.substr(0, data.size() - 1), kRle), "the pixel data has no end: it breaks off after 2 fragments");
  EXPECT_EQ(shortage(described({.frames = "2 "}) + fragments(1), kRle), "the pixel data has 1 fragments for 2 frames");
  EXPECT_EQ(shortage(described({}) + fragments(0), kVideo), "the pixel data has 0 fragments for 1 frames");
}

TEST(ShortPixels, AreCountedInBigEndianToo) {
  const auto of = [](std::size_t bytes) {
    const std::string image = explicit_element(0x00080018, "UI", "1.2.3.4 ", true);
    return read(dicom_file(image + described({.frames = "10"}, true) + explicit_element(0x7FE00010, "OW", std::string(bytes, 'p'), true), kExplicitBig)).shortage;
  };
  EXPECT_EQ(of(240), "");
  EXPECT_EQ(of(238), "the pixel data has 238 of 240 bytes");
}

}  // namespace
}  // namespace mercure::testing
