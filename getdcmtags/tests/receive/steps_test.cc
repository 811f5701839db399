#include "steps.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "receive/temporary_folder.h"

namespace mercure {
namespace {

class Steps : public testing::Test {
 protected:
  ~Steps() override {
    unsetenv("MERCURE_FAULT");
    unsetenv("MERCURE_STEP_LOG");
    steps::reset();
  }

  static void set_fault(const std::string& fault) {
    setenv("MERCURE_FAULT", fault.c_str(), 1);
    steps::reset();
  }

  static std::vector<int> take(int count) {
    std::vector<int> errors;
    for (int number = 0; number < count; ++number) errors.push_back(steps::take("write", "/x"));
    return errors;
  }
};

TEST_F(Steps, WithoutFaultsAllGoWell) {
  steps::reset();
  EXPECT_EQ(take(3), (std::vector<int>{0, 0, 0}));
}

TEST_F(Steps, AFaultStrikesAtItsNumberOrFromThereOn) {
  set_fault("EIO@2");
  EXPECT_EQ(take(4), (std::vector<int>{0, EIO, 0, 0}));
  set_fault("ENOSPC@3+");
  EXPECT_EQ(take(4), (std::vector<int>{0, 0, ENOSPC, ENOSPC}));
  set_fault("EROFS@1,,EIO@3");
  EXPECT_EQ(take(3), (std::vector<int>{EROFS, 0, EIO}));
}

TEST_F(Steps, WhatIsNoFaultIsRefusedAtOnce) {
  for (const char* text : {"EIO", "EIO@", "EIO@x", "EIO@1x", "eio@1", "@1", "EPERM@2", "EIO@-1", "EIO@1 EIO@2"}) {
    set_fault(text);
    EXPECT_THROW(steps::check_environment(), std::invalid_argument) << text;
  }
}

TEST_F(Steps, AChildGoesOnCountingAndTheLogTellsWhoDidWhat) {
  const tests::TemporaryFolder folder;
  setenv("MERCURE_STEP_LOG", (folder / "log").c_str(), 1);
  set_fault("exit@3");
  take(1);
  const pid_t child = fork();
  if (child == 0) {
    take(5);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 86);
  const std::string parent = std::to_string(getpid());
  const std::string pid = std::to_string(child);
  EXPECT_EQ(tests::read_file(folder / "log"),
            parent + " 1 write /x\n" + pid + " 2 write /x\n" + pid + " 3 write /x\n");
}

TEST_F(Steps, KillIsASignal) {
  set_fault("kill@1");
  const pid_t child = fork();
  if (child == 0) {
    take(1);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(Steps, AStoppedProcessGoesOnWhenItIsLet) {
  set_fault("stop@2");
  const pid_t child = fork();
  if (child == 0) {
    take(2);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0);
  kill(child, SIGCONT);
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
}

}  // namespace
}  // namespace mercure
