#include "jail/jail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>

namespace {

constexpr int kShutIn = 77;
constexpr mercure::jail::Bounds kBounds{256 << 20, 1};

// What becomes of a process that shuts itself in and then does something; 77 when it could do it.
int fate_of(void (*deed)(), void (*before)() = [] {}) {
  const pid_t child = fork();
  if (child == 0) {
    before();
    if (!mercure::jail::enter(kBounds).empty()) _exit(1);
    deed();
    _exit(kShutIn);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// What the jail forbids. Sanitizers need some of it, so that under them it is open (jail.cc).
class ShutJail : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the jail is open under sanitizers";
#endif
  }
};

TEST(Jail, ComputesAndUsesItsMemory) {
  EXPECT_EQ(fate_of([] {
              const auto bytes = std::make_unique<char[]>(8 << 20);
              bytes[1000] = 1;
              if (bytes[1000] != 1) _exit(2);
            }),
            kShutIn);
}

TEST_F(ShutJail, OpensNoFile) {
  EXPECT_EQ(fate_of([] { open("/etc/hostname", O_RDONLY | O_CLOEXEC); }), -SIGSYS);
}

// As in a service whose unit lists the system calls that it may use, without those that shut a process in.
void refuse_to_shut_in() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  for (const int call : {SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self), SCMP_SYS(seccomp)}) {
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) != 0) _exit(3);
  }
  if (seccomp_load(filter) != 0) _exit(3);
  // What this library knows of the kernel it asked before the filter was there; a program that is started asks anew.
  seccomp_release(filter);
  seccomp_reset(nullptr, SCMP_ACT_ALLOW);
}

TEST_F(ShutJail, IsShutAlsoInsideAFilterThatRefusesTheCallsForIt) {
  EXPECT_EQ(fate_of([] {}, &refuse_to_shut_in), kShutIn);
  EXPECT_EQ(fate_of([] { open("/etc/hostname", O_RDONLY | O_CLOEXEC); }, &refuse_to_shut_in), -SIGSYS);
  EXPECT_EQ(fate_of([] { fork(); }, &refuse_to_shut_in), -SIGSYS);
}

TEST_F(ShutJail, HasNoNetwork) {
  EXPECT_EQ(fate_of([] { socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }), -SIGSYS);
}

TEST_F(ShutJail, StartsNothing) {
  EXPECT_EQ(fate_of([] { execl("/bin/true", "/bin/true", nullptr); }), -SIGSYS);
  EXPECT_EQ(fate_of([] { fork(); }), -SIGSYS);
}

TEST_F(ShutJail, KillsNobody) {
  EXPECT_EQ(fate_of([] { kill(getppid(), 0); }), -SIGSYS);
}

TEST_F(ShutJail, TakesNoMoreMemoryThanItMay) {
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
