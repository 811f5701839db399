// Logs and terminals: what came from the network cannot make a terminal do anything.
#include "tags/printable.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace mercure::tags {
namespace {

TEST(Printable, HoldNothingThatATerminalObeys) {
  const std::string csi = "\xC2\x9B";
  const nlohmann::ordered_json line = {{"calling_aet", "A" + csi + "2J\x7F\xE2\x80\xAE" "B\xEF\xBB\xBF"}, {"reason", "\x1B]0;x\x07\xF3\xA0\x80\x81"}};
  const std::string text = printable(line.dump());
  EXPECT_EQ(text, R"({"calling_aet":"A\u009b2J\u007f\u202eB\ufeff","reason":"\u001b]0;x\u0007\udb40\udc01"})");
  EXPECT_EQ(nlohmann::ordered_json::parse(text), line);
}

TEST(Printable, KeepLettersOfAllLanguages) {
  const std::string text = std::string("{\"a\":\"M\xC3\xBCller \xE5\xB1\xB1\xE7\x94\xB0 \xD7\xA9 \xF0\x9F\x98\x80\"}");
  EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable(""), "");
}

}  // namespace
}  // namespace mercure::tags
