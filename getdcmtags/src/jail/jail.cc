#include "jail/jail.h"

#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace mercure::jail {
namespace {

// What computing, memory, and reading and writing open descriptors take; of signals, what abort() needs.
constexpr std::array kAllowed{
    SCMP_SYS(brk),           SCMP_SYS(clock_gettime), SCMP_SYS(close),     SCMP_SYS(exit),          SCMP_SYS(exit_group),
    SCMP_SYS(fstat),         SCMP_SYS(futex),         SCMP_SYS(getpid),    SCMP_SYS(getrandom),     SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),  SCMP_SYS(lseek),         SCMP_SYS(madvise),   SCMP_SYS(mmap),          SCMP_SYS(mprotect),
    SCMP_SYS(mremap),        SCMP_SYS(munmap),        SCMP_SYS(read),      SCMP_SYS(readv),         SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_yield), SCMP_SYS(tgkill),
    SCMP_SYS(write),         SCMP_SYS(writev),
};

// Sanitizers of the test build look into /proc and start threads of their own at the end.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

bool limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit bound{value, value};
  return setrlimit(resource, &bound) == 0;
}

// A rule set without a rule: every way to a file by name is closed. Kernels without Landlock leave it to seccomp, and so
// does a service whose own filter refuses to make one (EPERM, which the kernel never says to that).
std::string close_files() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  const long rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
  if (rules < 0) return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? std::string() : because("Landlock");
  const long closed = syscall(SYS_landlock_restrict_self, static_cast<int>(rules), 0);
  std::string problem = closed == 0 ? std::string() : because("Landlock");
  close(static_cast<int>(rules));
  return problem;
}

// It ends the thread, which is the process: there is one, and no call that makes another. To end "the process" takes
// seccomp(2), which the filter of a service may refuse; this can be loaded by prctl(2), too.
std::string close_system_calls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_KILL_THREAD), &seccomp_release);
  if (!filter) return "seccomp: no filter could be made";
  for (const int call : kAllowed) {
    const int added = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
    if (added != 0) return std::string("seccomp: ") + std::strerror(-added);
  }
  const int loaded = seccomp_load(filter.get());
  return loaded == 0 ? std::string() : std::string("seccomp: ") + std::strerror(-loaded);
}

}  // namespace

std::string enter(const Bounds& bounds) {
  const bool bounded = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CPU, bounds.cpu_seconds) &&
                       (kSanitized || limit(RLIMIT_AS, bounds.memory_bytes));
  if (!bounded) return because("limits of resources");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no new privileges");
  if (kSanitized) return {};
  if (std::string problem = close_files(); !problem.empty()) return problem;
  return close_system_calls();
}

}  // namespace mercure::jail
