// C-STORE command sets: what we write can be read by the standard, and nothing that a target writes hurts us.
#include "dimse/command_set.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace {

using namespace mercure::dimse;
using namespace std::string_literals;

std::string element(std::uint16_t number, const std::string& value) {
  std::string bytes = "\0\0"s;
  bytes += static_cast<char>(number & 0xFF);
  bytes += static_cast<char>(number >> 8);
  bytes += static_cast<char>(value.size());
  return bytes + "\0\0\0"s + value;
}

std::string response() {
  return element(0x0000, "\x2A\0\0\0"s) + element(0x0002, "1.2\0"s) + element(0x0100, "\x01\x80"s) +
         element(0x0120, "\x07\0"s) + element(0x0800, "\x01\x01"s) + element(0x0900, "\0\xA7"s) +
         element(0x0902, "disk full ");
}

// Byte by byte by PS3.7 section 9.3.1.1: implicit VR little endian, tags ascending, UIDs padded to even length.
TEST(StoreRequest, IsWhatTheStandardSays) {
  const std::string elements = element(0x0002, "1.2.3\0"s) + element(0x0100, "\x01\0"s) + element(0x0110, "\x34\x12"s) +
                               element(0x0700, "\0\0"s) + element(0x0800, "\x01\0"s) + element(0x1000, "1.45");
  const std::string length(1, static_cast<char>(elements.size()));
  EXPECT_EQ(store_request(0x1234, "1.2.3", "1.45"), element(0x0000, length + "\0\0\0"s) + elements);
}

TEST(StoreResponse, IsRead) {
  const auto read = parse_store_response(response());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->message_id, 7);
  EXPECT_EQ(read->status, 0xA700);
  EXPECT_EQ(read->comment, "disk full");
}

TEST(StoreResponse, MustBeOne) {
  EXPECT_FALSE(parse_store_response(""));
  EXPECT_FALSE(parse_store_response(element(0x0100, "\x01\x80"s)));                                // no status
  EXPECT_FALSE(parse_store_response(element(0x0900, "\0\0"s)));                                    // no command field
  EXPECT_FALSE(parse_store_response(element(0x0100, "\x30\x80"s) + element(0x0900, "\0\0"s)));     // of C-ECHO
  EXPECT_FALSE(parse_store_response(element(0x0100, "\x01\x80"s) + element(0x0900, "\0"s)));       // half a status
  EXPECT_FALSE(parse_store_response("\x08\0\x16\0\0\0\0\0"s + response()));                        // another group
  EXPECT_FALSE(parse_store_response(response() + "x"));
}

TEST(StoreResponse, MayBeTornAnywhere) {
  const std::string whole = response();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto read = parse_store_response(std::string_view(whole).substr(0, length));
    EXPECT_TRUE(!read || read->status == 0xA700) << length;
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    static_cast<void>(parse_store_response(damaged));
  }
}

}  // namespace
