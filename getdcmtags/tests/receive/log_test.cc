// The log of the receiver: what came from the network cannot make a terminal do anything.
#include "receive/log.h"

#include <gtest/gtest.h>

#include <string>

namespace mercure::receive {
namespace {

TEST(LogLines, HoldNothingThatATerminalObeys) {
  const std::string csi = "\xC2\x9B";
  const Json line = {{"calling_aet", "A" + csi + "2J\x7F\xE2\x80\xAE" "B\xEF\xBB\xBF"}, {"reason", "\x1B]0;x\x07\xF3\xA0\x80\x81"}};
  const std::string text = log::shown(to_line(line));
  EXPECT_EQ(text, R"({"calling_aet":"A\u009b2J\u007f\u202eB\ufeff","reason":"\u001b]0;x\u0007\udb40\udc01"})");
  EXPECT_EQ(Json::parse(text), line);
}

TEST(LogLines, KeepLettersOfAllLanguages) {
  const std::string text = to_line({{"a", "M\xC3\xBCller \xE5\xB1\xB1\xE7\x94\xB0 \xD7\xA9 \xF0\x9F\x98\x80"}});
  EXPECT_EQ(log::shown(text), text);
  EXPECT_EQ(log::shown(""), "");
}

}  // namespace
}  // namespace mercure::receive
