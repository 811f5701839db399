#include "receive/quota_note.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "temporary_folder.h"

namespace mercure::receive {
namespace {

std::vector<KnownSender> senders() {
  std::vector<KnownSender> made(2);
  made[0].name = "ct";
  made[0].quotas.bytes_per_day = 1'000;
  made[1].name = "mr";
  made[1].quotas.bytes_per_day = 1'000;
  return made;
}

class QuotaNotes : public ::testing::Test {
 protected:
  std::string file() const { return folder_.path() + "/state/quota-use.json"; }
  void write(const std::string& text) const {
    std::filesystem::create_directory(folder_.path() + "/state");
    std::ofstream(file(), std::ios::binary) << text;
  }
  void use(const AllQuotaCounters& counters, std::int64_t bytes) { counters.restore("ct", {20'000, bytes}); }
  std::int64_t bytes_after_a_restart() {
    AllQuotaCounters fresh(senders());
    QuotaNote(folder_.path()).restore(fresh);
    return fresh.find("ct")->bytes;
  }

  tests::TemporaryFolder folder_;
  AllQuotaCounters counters_{senders()};
};

TEST_F(QuotaNotes, AreReadAfterARestart) {
  QuotaNote note(folder_.path());
  note.restore(counters_);
  note.keep(counters_);
  EXPECT_FALSE(std::filesystem::exists(file())) << "nothing is used yet";
  use(counters_, 700);
  note.keep(counters_);
  AllQuotaCounters fresh(senders());
  QuotaNote(folder_.path()).restore(fresh);
  EXPECT_EQ(fresh.find("ct")->bytes, 700);
  EXPECT_EQ(fresh.find("ct")->day, 20'000);
  EXPECT_EQ(fresh.find("mr")->bytes, 0);
}

TEST_F(QuotaNotes, OfAnotherDayAreWorthNothing) {
  use(counters_, 1'000);
  QuotaNote(folder_.path()).keep(counters_);
  AllQuotaCounters fresh(senders());
  QuotaNote(folder_.path()).restore(fresh);
  const QuotaUse::Wall::time_point then{std::chrono::days{20'000}};
  QuotaUse of_it(senders()[0].quotas, *fresh.find("ct"));
  EXPECT_FALSE(of_it.ask({}, then).excess.empty());
  EXPECT_TRUE(of_it.ask({}, then + std::chrono::days{1}).excess.empty());
}

TEST_F(QuotaNotes, ThatAreDamagedSayNothing) {
  for (const char* text : {"", "{", "[]", "7", "{\"senders\": []}", "{\"senders\": {\"ct\": 7}}", "{\"senders\": {\"ct\": {\"day\": 1}}}",
                           "{\"senders\": {\"ct\": {\"day\": \"x\", \"bytes\": 9}}}", "{\"senders\": {\"ct\": {\"day\": 1, \"bytes\": -9}}}",
                           "{\"senders\": {\"ct\": {\"day\": 1, \"bytes\": 1e30}}}", "{\"senders\": {\"ct\": {\"day\": 1, \"bytes\": 18446744073709551615}}}",
                           "{\"senders\": {\"nobody\": {\"day\": 1, \"bytes\": 9}}}"}) {
    write(text);
    EXPECT_EQ(bytes_after_a_restart(), 0) << text;
  }
}

TEST_F(QuotaNotes, OfTheReceiverThatTookOverAreLeftAlone) {
  QuotaNote before(folder_.path());
  use(counters_, 100);
  before.keep(counters_);
  QuotaNote after(folder_.path());
  AllQuotaCounters fresh(senders());
  after.restore(fresh);
  use(fresh, 400);
  after.keep(fresh);
  use(counters_, 150);
  before.finish(counters_);
  EXPECT_EQ(bytes_after_a_restart(), 400);
  use(fresh, 500);
  after.finish(fresh);
  EXPECT_EQ(bytes_after_a_restart(), 500);
}

TEST_F(QuotaNotes, AreWrittenWhenSomethingIsNew) {
  QuotaNote note(folder_.path());
  use(counters_, 100);
  note.keep(counters_);
  std::filesystem::remove(file());
  note.keep(counters_);
  EXPECT_FALSE(std::filesystem::exists(file()));
  use(counters_, 101);
  note.keep(counters_);
  EXPECT_NE(tests::read_file(file()).find("101"), std::string::npos);
}

}  // namespace
}  // namespace mercure::receive
