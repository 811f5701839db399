// Answers of targets: which of them say something of the image that was sent.
#include "storescu/answers.h"

#include <gtest/gtest.h>

#include <string>

#include "dimse/command_set.h"

namespace {

using namespace mercure::storescu;
using namespace std::string_literals;
using mercure::dimse::parse_store_response;

std::string element(std::uint16_t number, const std::string& value) {
  std::string bytes = "\0\0"s;
  bytes += static_cast<char>(number & 0xFF);
  bytes += static_cast<char>(number >> 8);
  bytes += static_cast<char>(value.size());
  return bytes + "\0\0\0"s + value;
}

std::string answer(const std::string& instance, const std::string& message, const std::string& status) {
  return element(0x0100, "\x01\x80"s) + message + status + instance;
}

const std::string kMessage = element(0x0120, "\x07\0"s);
const std::string kSuccess = element(0x0900, "\0\0"s);

TEST(Answers, IsAboutTheImageThatWasSent) {
  const auto taken = [](const std::string& bytes) { return objection_to(parse_store_response(bytes), 7, "1.2.3").empty(); };
  EXPECT_TRUE(taken(answer({}, kMessage, kSuccess)));
  EXPECT_TRUE(taken(answer(element(0x1000, ""), kMessage, kSuccess)));
  EXPECT_TRUE(taken(answer(element(0x1000, "1.2.3\0"s), kMessage, kSuccess)));
  EXPECT_TRUE(taken(answer(element(0x1000, "1.2.3 "), kMessage, kSuccess)));
  EXPECT_TRUE(taken(answer(element(0x1000, "1.2.3"), kMessage, element(0x0900, "\0\0\0\0"s))));
  EXPECT_FALSE(taken(answer(element(0x1000, "1.2.30"), kMessage, kSuccess)));
  EXPECT_FALSE(taken(answer({}, element(0x0120, "\x08\0"s), kSuccess)));
  EXPECT_FALSE(taken(answer({}, {}, kSuccess)));
  EXPECT_FALSE(taken(answer({}, kMessage, {})));
  EXPECT_FALSE(taken(answer({}, kMessage, element(0x0900, "\0\0\0\1"s))));
  EXPECT_FALSE(taken(answer({}, kMessage, kSuccess + kSuccess)));
  EXPECT_FALSE(taken(answer({}, kMessage + kMessage, kSuccess)));
}

}  // namespace
