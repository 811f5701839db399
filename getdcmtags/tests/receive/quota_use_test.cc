#include "receive/quota_use.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace mercure::receive {
namespace {

using namespace std::chrono_literals;

const QuotaUse::Clock::time_point kStart{1'000h};
const QuotaUse::Wall::time_point kNoon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 30} + 12h;

Quotas of_associations(std::int64_t most) {
  Quotas quotas;
  quotas.associations = most;
  return quotas;
}

Quotas of_images(std::int64_t most) {
  Quotas quotas;
  quotas.images_per_second = most;
  return quotas;
}

Quotas of_bytes(std::int64_t most) {
  Quotas quotas;
  quotas.bytes_per_day = most;
  return quotas;
}

TEST(QuotaUses, AssociationsAreCountedOverAllProcesses) {
  QuotaCounters counters;
  QuotaUse one(of_associations(2), counters);
  QuotaUse other(of_associations(2), counters);
  EXPECT_TRUE(one.enter());
  EXPECT_TRUE(other.enter());
  EXPECT_FALSE(one.enter());
  EXPECT_FALSE(other.enter()) << "what was refused is not counted";
  other.leave();
  EXPECT_TRUE(one.enter());
  EXPECT_FALSE(one.enter());
}

TEST(QuotaUses, WithoutAQuotaNothingIsRefused) {
  QuotaCounters counters;
  QuotaUse use({}, counters);
  for (int count = 0; count < 1'000; ++count) {
    EXPECT_TRUE(use.enter());
    EXPECT_TRUE(use.ask(kStart, kNoon).excess.empty());
    use.count(1ULL << 40, kNoon);
  }
}

TEST(QuotaUses, BytesOfADay) {
  QuotaCounters counters;
  QuotaUse use(of_bytes(1'000), counters);
  use.count(799, kNoon);
  EXPECT_TRUE(use.ask(kStart, kNoon).warnings.empty());
  use.count(1, kNoon);
  const QuotaVerdict near = use.ask(kStart, kNoon);
  EXPECT_TRUE(near.excess.empty());
  ASSERT_EQ(near.warnings.size(), 1U);
  EXPECT_EQ(near.warnings.front().quota, "max_bytes_per_day");
  EXPECT_EQ(near.warnings.front().limit, 1'000);
  EXPECT_TRUE(use.ask(kStart, kNoon).warnings.empty()) << "once a day";
  use.count(199, kNoon);
  EXPECT_TRUE(use.ask(kStart, kNoon).excess.empty());
  use.count(1, kNoon);
  EXPECT_EQ(use.ask(kStart, kNoon).excess, "Quota exceeded: 1000 bytes a day");
  EXPECT_EQ(use.ask(kStart, kNoon + 11h + 59min).excess, "Quota exceeded: 1000 bytes a day");
  EXPECT_TRUE(use.ask(kStart, kNoon + 12h).excess.empty()) << "the next day";
}

TEST(QuotaUses, ImagesComeInBurstsOfAMinute) {
  QuotaCounters counters;
  QuotaUse use(of_images(2), counters);
  int warnings = 0;
  for (int count = 0; count < 120; ++count) {
    const QuotaVerdict verdict = use.ask(kStart, kNoon);
    EXPECT_TRUE(verdict.excess.empty()) << count;
    warnings += static_cast<int>(verdict.warnings.size());
  }
  EXPECT_EQ(warnings, 1);
  EXPECT_EQ(use.ask(kStart, kNoon).excess, "Quota exceeded: 2 images a second");
  EXPECT_EQ(use.ask(kStart + 400ms, kNoon).excess, "Quota exceeded: 2 images a second");
  EXPECT_TRUE(use.ask(kStart + 500ms, kNoon).excess.empty()) << "what was refused is not counted";
  EXPECT_FALSE(use.ask(kStart + 500ms, kNoon).excess.empty());
  EXPECT_TRUE(use.ask(kStart + 2min, kNoon).excess.empty());
}

TEST(QuotaUses, CountersAreKeptWhenTheConfigurationIsReadAgain) {
  std::vector<KnownSender> senders(2);
  senders[0].name = "ct";
  senders[0].quotas = of_associations(1);
  senders[1].name = "mr";
  AllQuotaCounters all(senders);
  ASSERT_NE(all.find("ct"), nullptr);
  EXPECT_EQ(all.find("mr"), nullptr);
  EXPECT_EQ(all.find("other"), nullptr);
  EXPECT_TRUE(QuotaUse(senders[0].quotas, *all.find("ct")).enter());
  all.add(senders);
  EXPECT_FALSE(QuotaUse(senders[0].quotas, *all.find("ct")).enter());
}

}  // namespace
}  // namespace mercure::receive
