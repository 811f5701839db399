#include "names.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "id_note.h"
#include "ids.h"
#include "temporary_folder.h"

namespace mercure {
namespace {

struct Named {
  std::string uid;
  std::string name;
};

class SafeName : public testing::TestWithParam<Named> {};

TEST_P(SafeName, IsTheSameAsInPython) { EXPECT_EQ(safe_name(GetParam().uid), GetParam().name); }

INSTANTIATE_TEST_SUITE_P(Names, SafeName,
                         testing::Values(Named{"1.2.3", "1.2.3"}, Named{"0", "0"},
                                         Named{std::string(64, '1'), std::string(64, '1')},
                                         Named{std::string(65, '1'), "x7332b1bd371fcf26b956e8d07bd38d686ff4868f"},
                                         Named{"../../x", "x9cdf6a50100a862e14286c7a334296daf7da8b45"},
                                         Named{"1.2.3 ", "x19cad710c6f6f55838ba58d8170b7bbe3bec116c"},
                                         Named{"x", "x2d711642b726b04401627ca9fbac32f5c8530fb1"},
                                         Named{".1", "xf7f4791af8c2fe5825591201df09b72c2463d705"},
                                         Named{"\xc3\xbc", "x607474ca475a9724d7360aba71a56d5df77e6135"},
                                         Named{"a\nb", "x7e18f737311b2dc3b2f269dd78396b0351f14fb6"},
                                         Named{"1.2/3", "x24b6db6e3bc5cded03608ed28499e11f188d0570"}));

TEST(SafeNames, AnEmptyUidHasNone) { EXPECT_THROW(safe_name(""), std::invalid_argument); }

TEST(Ids, SortByTimeAndDiffer) {
  const Instant early{1'000'000'000, 5};
  const Instant late{1'000'000'000, 6};
  EXPECT_EQ(new_id(early).substr(0, 22), "20010909T014640000005-");
  EXPECT_LT(new_id(early), new_id(late));
  const std::string id = new_id();
  EXPECT_EQ(id.size(), 30U);
  EXPECT_EQ(id.find_first_not_of("0123456789"), 8U);
  EXPECT_EQ(id.find_first_not_of("0123456789", 9), 21U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef", 22), std::string::npos);
  std::set<std::string> ids;
  for (int count = 0; count < 1000; ++count) ids.insert(new_id(early));
  EXPECT_GT(ids.size(), 990U);
}

TEST(Instants, AreWrittenInUtc) {
  EXPECT_EQ((Instant{1'000'000'000, 42}.text()), "2001-09-09T01:46:40.000042Z");
  EXPECT_EQ((Instant{0, 999'999}.text()), "1970-01-01T00:00:00.999999Z");
}

class WrongClock : public testing::Test {
 protected:
  WrongClock() { setenv("MERCURE_CLOCK_OFFSET", (folder_ / "offset").c_str(), 1); }
  ~WrongClock() override { unsetenv("MERCURE_CLOCK_OFFSET"); }

  void put_off(const std::string& text) const { std::ofstream(folder_ / "offset") << text; }
  static double off() { return static_cast<double>(Instant::now().seconds - std::time(nullptr)); }

  tests::TemporaryFolder folder_;
};

// A receiver as a child, so that it starts with nothing but what the spool tells; before the tests that order ids in this process.
// Its first id, and its last, of `count`.
class Restarts : public WrongClock {
 protected:
  Restarts() { mkdir((folder_ / "state").c_str(), 0750); }

  std::pair<std::string, std::string> run(const std::string& boot, bool keeps, int count = 3) const {
    const pid_t child = fork();
    if (child == 0) {
      IdNote note(folder_.path(), boot);
      note.begin();
      std::string first = new_id();
      std::string last = first;
      for (int given = 1; given < count; ++given) last = new_id();
      if (keeps) note.keep();
      std::ofstream(folder_ / "ids") << first << ' ' << last;
      _exit(0);
    }
    int status = 1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    std::ifstream ids(folder_ / "ids");
    std::pair<std::string, std::string> found;
    ids >> found.first >> found.second;
    return found;
  }
};

TEST_F(Restarts, OneAfterTheOtherKeepTheOrderOfIds) {
  std::string newest = run("one", true).second;
  struct {
    const char* offset;
    const char* boot;
    bool keeps;
  } const steps[] = {{"-25", "one", false},    {"-25", "one", false},   {"-800000000", "one", true}, {"-800000000", "one", false},
                     {"-800000000", "two", false}, {"-800000001", "two", false}, {"-3", "three", false},    {"-9", "four", false},
                     {"-15", "five", false},   {"0", "five", true},     {"-1", "five", true},        {"31536000", "five", true},
                     {"0", "five", false},     {"0", "six", false}};
  for (const auto& step : steps) {
    put_off(step.offset);
    const auto [first, last] = run(step.boot, step.keeps);
    EXPECT_LT(newest, first) << step.offset << ' ' << step.boot;
    EXPECT_LT(first, last);
    newest = last;
  }
}

TEST_F(Restarts, OfARightClockGoNoFurtherAheadThanTheNotesThatMayBeLost) {
  run("one", true);
  const std::string later = run("one", true).first;
  const Instant now = Instant::now();
  EXPECT_LT(later, new_id(Instant{now.seconds + 12, 0}));
  EXPECT_LT(run("two", true).first, new_id(Instant{now.seconds + 90, 0}));
}

TEST_F(Restarts, BeginAnewWhereTheNoteIsNone) {
  for (const std::string text : {"", "{", "[]", R"({"boot": 1, "newest": 2})", R"({"boot": "one", "newest": -5})", R"({"boot": "one", "newest": 1e300})"}) {
    mkdir((folder_ / "state/clock").c_str(), 0750);
    std::ofstream(folder_ / "state/clock/receiver-ids.json") << text;
    const Instant now = Instant::now();
    EXPECT_LT(run("one", false).first, new_id(Instant{now.seconds + 60, 0})) << text;
  }
}

TEST_F(WrongClock, IsMetByARunningProgram) {
  EXPECT_NEAR(off(), 0, 5);
  put_off("31536000\n");
  EXPECT_NEAR(off(), 31536000, 5);
  put_off("-800000000.5");
  EXPECT_NEAR(off(), -800000000, 5);
  EXPECT_LT(new_id(Instant::now()), "2015");
  put_off("");
  EXPECT_NEAR(off(), -800000000, 5);
  put_off("0");
  EXPECT_NEAR(off(), 0, 5);
}

TEST_F(WrongClock, PutsNoIdBeforeAnEarlierOne) {
  order_ids(0);
  const std::string first = new_id();
  put_off("-800000000");
  const std::string second = new_id();
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream(folder_ / "child") << new_id();
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const std::string third = tests::read_file(folder_ / "child");
  const std::string fourth = new_id();
  put_off("0");
  const std::string fifth = new_id();
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_LT(third, fourth);
  EXPECT_LT(fourth, fifth);
}

TEST_F(WrongClock, IsKnownAfterARestartByWhatTheClockShowedBefore) {
  ASSERT_EQ(latest_shown(folder_.path()), 0);
  ASSERT_EQ(mkdir((folder_ / "state").c_str(), 0750), 0);
  ASSERT_EQ(mkdir((folder_ / "state/clock").c_str(), 0750), 0);
  for (const std::string text : {"", "{", "[]", R"({"stretches": 1})", R"({"stretches": [{"wall_to": "x"}, 3, {}]})"}) {
    std::ofstream(folder_ / "state/clock/uptime.json") << text;
    EXPECT_EQ(latest_shown(folder_.path()), 0) << text;
  }
  std::ofstream(folder_ / "state/clock/uptime.json") << R"({"stretches": [{"wall_to": 2e9}, {"wall_to": 9.5e8}]})";
  EXPECT_EQ(latest_shown(folder_.path()), 2e9);
  order_ids(latest_shown(folder_.path()));
  EXPECT_EQ(new_id().substr(0, 15), "20330518T033420");
}

}  // namespace
}  // namespace mercure
