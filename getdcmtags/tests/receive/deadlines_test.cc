#include "receive/deadlines.h"

#include <gtest/gtest.h>

namespace mercure::receive {
namespace {

using namespace std::chrono_literals;
using Limit = Deadlines::Limit;

constexpr Limits kLimits{10s, 20s, 100s, 5s};
const Deadlines::Clock::time_point kStart = Deadlines::Clock::time_point() + 1h;

TEST(Deadlines, FirstTheRequestThenTheIdleLimitCounts) {
  Deadlines deadlines(kLimits, kStart);
  EXPECT_EQ(deadlines.milliseconds_left(kStart), 10'000);
  EXPECT_FALSE(deadlines.expired(kStart + 9'999ms));
  EXPECT_EQ(deadlines.expired(kStart + 10s), Limit::acse);
  deadlines.established(kStart + 9s);
  EXPECT_FALSE(deadlines.expired(kStart + 28'999ms));
  EXPECT_EQ(deadlines.expired(kStart + 29s), Limit::idle);
  deadlines.progress(kStart + 28s);
  EXPECT_FALSE(deadlines.expired(kStart + 47s));
  EXPECT_EQ(deadlines.expired(kStart + 48s), Limit::idle);
}

TEST(Deadlines, TheTotalLimitCountsWhateverComes) {
  Deadlines deadlines(kLimits, kStart);
  deadlines.established(kStart);
  for (auto at = kStart; at < kStart + 99s; at += 1s) deadlines.progress(at);
  EXPECT_FALSE(deadlines.expired(kStart + 99s));
  EXPECT_EQ(deadlines.expired(kStart + 100s), Limit::total);
  EXPECT_EQ(deadlines.milliseconds_left(kStart + 101s), 0);
}

TEST(Deadlines, ZeroIsNoTotalLimit) {
  Deadlines deadlines({10s, 20s, 0s, 5s}, kStart);
  deadlines.established(kStart);
  deadlines.progress(kStart + 1000h);
  EXPECT_FALSE(deadlines.expired(kStart + 1000h + 1s));
}

TEST(Deadlines, AStopRequestCountsOnce) {
  Deadlines deadlines(kLimits, kStart);
  deadlines.established(kStart);
  deadlines.stop_requested(kStart + 1s);
  deadlines.stop_requested(kStart + 4s);
  EXPECT_TRUE(deadlines.is_stopping());
  deadlines.progress(kStart + 5s);
  EXPECT_EQ(deadlines.expired(kStart + 6s), Limit::stop);
}

TEST(Deadlines, TheWaitIsRoundedUp) {
  Deadlines deadlines(kLimits, kStart);
  EXPECT_EQ(deadlines.milliseconds_left(kStart + 9'999ms + 900us), 1);
}

}  // namespace
}  // namespace mercure::receive
