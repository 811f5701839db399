#include "dimse/connection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "dimse/ends.h"

namespace mercure::dimse {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;

const std::string kAbort = "\7\0\0\0\0\4\0\0\0\0"s;
constexpr std::size_t kMoreThanASocketHolds = 16 << 20;

// All that the peer gets, once our side is closed.
std::string rest_of(Ends& ends) {
  ends.connection.reset();
  return ends.heard(2 * kMoreThanASocketHolds);
}

TEST(Connections, LastWordsFollowWhatWasSentWhole) {
  Ends ends;
  EXPECT_TRUE(ends.connection->send("whole"));
  ends.connection->send_last(kAbort);
  EXPECT_EQ(rest_of(ends), "whole" + kAbort);
}

// The peer would take what comes next for the rest of it: the bytes of an abort for the last pixels.
TEST(Connections, NothingFollowsATornPdu) {
  Ends ends(50ms);
  const std::string pixels(kMoreThanASocketHolds, 'p');
  EXPECT_FALSE(ends.connection->send(pixels));
  EXPECT_TRUE(ends.connection->is_timed_out());
  std::string heard = ends.heard(64 << 10);  // there is room again
  ends.connection->hold("held");
  EXPECT_FALSE(ends.connection->send());
  EXPECT_FALSE(ends.connection->send("more"));
  ends.connection->send_last(kAbort);
  heard += rest_of(ends);
  EXPECT_LT(heard.size(), pixels.size());
  EXPECT_EQ(heard.find_first_not_of('p'), std::string::npos);
}

}  // namespace
}  // namespace mercure::dimse
