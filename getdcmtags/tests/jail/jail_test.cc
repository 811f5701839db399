#include "jail/jail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

namespace {

constexpr int kShutIn = 77;
constexpr mercure::jail::Bounds kBounds{256 << 20, 1};

// What becomes of a process that shuts itself in and then does something; 77 when it could do it.
int fate_of(void (*deed)()) {
  const pid_t child = fork();
  if (child == 0) {
    if (!mercure::jail::enter(kBounds).empty()) _exit(1);
    deed();
    _exit(kShutIn);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(Jail, ComputesAndUsesItsMemory) {
  EXPECT_EQ(fate_of([] {
              const auto bytes = std::make_unique<char[]>(8 << 20);
              bytes[1000] = 1;
              if (bytes[1000] != 1) _exit(2);
            }),
            kShutIn);
}

TEST(Jail, OpensNoFile) {
  EXPECT_EQ(fate_of([] { open("/etc/hostname", O_RDONLY | O_CLOEXEC); }), -SIGSYS);
}

TEST(Jail, HasNoNetwork) {
  EXPECT_EQ(fate_of([] { socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }), -SIGSYS);
}

TEST(Jail, StartsNothing) {
  EXPECT_EQ(fate_of([] { execl("/bin/true", "/bin/true", nullptr); }), -SIGSYS);
  EXPECT_EQ(fate_of([] { fork(); }), -SIGSYS);
}

TEST(Jail, KillsNobody) {
  EXPECT_EQ(fate_of([] { kill(getppid(), 0); }), -SIGSYS);
}

TEST(Jail, TakesNoMoreMemoryThanItMay) {
  EXPECT_EQ(fate_of([] {
              if (std::malloc(512 << 20) != nullptr) _exit(2);
            }),
            kShutIn);
}

TEST(Jail, EndsWhatNeverEnds) {
  EXPECT_EQ(fate_of([] {
              volatile bool ends = false;
              while (!ends) continue;
            }),
            -SIGKILL);
}

}  // namespace
