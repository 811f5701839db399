#include "receive/patience.h"

#include <gtest/gtest.h>

namespace mercure::receive {
namespace {

using namespace std::chrono_literals;
using Limit = Patience::Limit;

constexpr Limits kLimits{10s, 20s, 100s, 5s};
const Patience::Clock::time_point kStart = Patience::Clock::time_point() + 1h;

TEST(Patiences, FirstTheRequestThenTheIdleLimitCounts) {
  Patience patience(kLimits, kStart);
  EXPECT_EQ(patience.milliseconds_left(kStart), 10'000);
  EXPECT_FALSE(patience.expired(kStart + 9'999ms));
  EXPECT_EQ(patience.expired(kStart + 10s), Limit::acse);
  patience.established(kStart + 9s);
  EXPECT_FALSE(patience.expired(kStart + 28'999ms));
  EXPECT_EQ(patience.expired(kStart + 29s), Limit::idle);
  patience.progress(kStart + 28s);
  EXPECT_FALSE(patience.expired(kStart + 47s));
  EXPECT_EQ(patience.expired(kStart + 48s), Limit::idle);
}

TEST(Patiences, TheTotalLimitCountsWhateverComes) {
  Patience patience(kLimits, kStart);
  patience.established(kStart);
  for (auto at = kStart; at < kStart + 99s; at += 1s) patience.progress(at);
  EXPECT_FALSE(patience.expired(kStart + 99s));
  EXPECT_EQ(patience.expired(kStart + 100s), Limit::total);
  EXPECT_EQ(patience.milliseconds_left(kStart + 101s), 0);
}

TEST(Patiences, ZeroIsNoTotalLimit) {
  Patience patience({10s, 20s, 0s, 5s}, kStart);
  patience.established(kStart);
  patience.progress(kStart + 1000h);
  EXPECT_FALSE(patience.expired(kStart + 1000h + 1s));
}

TEST(Patiences, AStopRequestCountsOnce) {
  Patience patience(kLimits, kStart);
  patience.established(kStart);
  patience.stop_requested(kStart + 1s);
  patience.stop_requested(kStart + 4s);
  EXPECT_TRUE(patience.is_stopping());
  patience.progress(kStart + 5s);
  EXPECT_EQ(patience.expired(kStart + 6s), Limit::stop);
}

TEST(Patiences, TheWaitIsRoundedUp) {
  Patience patience(kLimits, kStart);
  EXPECT_EQ(patience.milliseconds_left(kStart + 9'999ms + 900us), 1);
}

}  // namespace
}  // namespace mercure::receive
