#include "jail/jail.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

#include "descriptor.h"

namespace mercure::jail {
namespace {

// What computing, memory, and reading and writing open descriptors take; of signals, what abort() needs.
constexpr std::array kComputing{
    SCMP_SYS(brk),           SCMP_SYS(clock_gettime), SCMP_SYS(close),     SCMP_SYS(exit),          SCMP_SYS(exit_group),
    SCMP_SYS(fstat),         SCMP_SYS(futex),         SCMP_SYS(getpid),    SCMP_SYS(getrandom),     SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),  SCMP_SYS(lseek),         SCMP_SYS(madvise),   SCMP_SYS(mmap),          SCMP_SYS(mprotect),
    SCMP_SYS(mremap),        SCMP_SYS(munmap),        SCMP_SYS(read),      SCMP_SYS(readv),         SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_yield), SCMP_SYS(tgkill),
    SCMP_SYS(write),         SCMP_SYS(writev),
};

// Files by name, as far as Landlock lets them be reached, and connections that are there.
constexpr std::array kFilesAndConnections{
    SCMP_SYS(access),        SCMP_SYS(clock_nanosleep), SCMP_SYS(dup),       SCMP_SYS(faccessat),   SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),     SCMP_SYS(fcntl),          SCMP_SYS(fstatfs),    SCMP_SYS(getppid),     SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),    SCMP_SYS(getpeername),    SCMP_SYS(getuid),     SCMP_SYS(landlock_add_rule),
    SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self),     SCMP_SYS(lstat),       SCMP_SYS(newfstatat),
    SCMP_SYS(open),          SCMP_SYS(openat),         SCMP_SYS(poll),       SCMP_SYS(ppoll),       SCMP_SYS(pread64),
    SCMP_SYS(pselect6),      SCMP_SYS(readlink),       SCMP_SYS(readlinkat), SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg),
    SCMP_SYS(select),        SCMP_SYS(setsockopt),     SCMP_SYS(shutdown),   SCMP_SYS(stat),        SCMP_SYS(statfs),
    SCMP_SYS(statx),         SCMP_SYS(sysinfo),        SCMP_SYS(time),       SCMP_SYS(uname),
};

// What keeps images.
constexpr std::array kKeeping{
    SCMP_SYS(fdatasync), SCMP_SYS(flock),  SCMP_SYS(fsync),     SCMP_SYS(ftruncate),       SCMP_SYS(getdents64),
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),         SCMP_SYS(rename),
    SCMP_SYS(renameat),  SCMP_SYS(renameat2), SCMP_SYS(rmdir),  SCMP_SYS(sync_file_range), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
};

// Threads and their end, and the socket that DCMTK makes before it connects.
constexpr std::array kThreads{
    SCMP_SYS(dup3),        SCMP_SYS(eventfd2), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list),
    SCMP_SYS(sigaltstack), SCMP_SYS(dup2),
};

// Sanitizers of the test build look into /proc and start threads of their own at the end.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string because(const char* what, int error = errno) { return std::string(what) + ": " + std::strerror(error); }

bool limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit bound{value, value};
  return setrlimit(resource, &bound) == 0;
}

// landlock(7), by the version of the kernel's interface that has it first: the header of the build may be older than the kernel.
struct LandlockVersion {
  static constexpr long kRename = 2;
  static constexpr long kTruncate = 3;
  static constexpr long kNetwork = 4;
  static constexpr long kScopes = 6;
};
constexpr std::uint64_t kAllOfTheFirst = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t kRefer = 1ULL << 13;
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kBindAndConnect = 3;
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;

struct Ruleset {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scopes;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kAppend = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate;
constexpr std::uint64_t kEnter = LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR;
constexpr std::uint64_t kWork = kRead | kAppend | kEnter | LANDLOCK_ACCESS_FS_REMOVE_FILE | kRefer;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

constexpr std::uint64_t rights_of(Access access) {
  switch (access) {
    case Access::read: return kRead;
    case Access::work: return kWork;
    case Access::append: return kAppend;
    case Access::enter: return kEnter;
  }
  return 0;
}

// Kernels without Landlock leave it to seccomp: then it is 0. So does a service whose own filter refuses one of its calls, as that of
// an older release may, in which this program was started by a reload (EPERM, which the kernel itself never says to them).
long landlock_version() {
  return std::max(0L, syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

Descriptor ruleset_of(long version) {
  const Ruleset ruleset{
      kAllOfTheFirst | (version >= LandlockVersion::kRename ? kRefer : 0) | (version >= LandlockVersion::kTruncate ? kTruncate : 0),
      kBindAndConnect, kAbstractSocketsAndSignals};
  const std::size_t members = version >= LandlockVersion::kScopes ? 3 : version >= LandlockVersion::kNetwork ? 2 : 1;
  return Descriptor(static_cast<int>(syscall(SYS_landlock_create_ruleset, &ruleset, members * sizeof(std::uint64_t), 0)));
}

// False with the error in errno. A place that is not there needs no rule.
bool allow(const Descriptor& ruleset, long version, const Place& place) {
  const Descriptor target(open(place.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat state {};
  if (!target) return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
  if (fstat(target.get(), &state) != 0) return false;
  std::uint64_t rights = rights_of(place.access) & (S_ISDIR(state.st_mode) ? ~0ULL : kOfFiles);
  if (version < LandlockVersion::kTruncate) rights &= ~kTruncate;
  const landlock_path_beneath_attr rule{rights, target.get()};
  return syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

std::string restrict_to(const std::vector<Place>& places, long version) {
  const Descriptor ruleset = ruleset_of(version);
  if (!ruleset) return errno == EPERM ? std::string() : because("Landlock");
  for (const Place& place : places) {
    if (allow(ruleset, version, place)) continue;
    return errno == EPERM ? std::string() : because(("Landlock, for " + place.path).c_str());
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0 || errno == EPERM) return {};
  return because("Landlock");
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// An empty text, or what is wrong.
std::string add(const Filter& filter, std::span<const int> calls) {
  for (const int call : calls) {
    const int added = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
    if (added != 0) return because("seccomp", -added);
  }
  return {};
}

// It ends the thread, which is the process: there is one, and no call that makes another. To end "the process" takes
// seccomp(2), which the filter of a service may refuse; this can be loaded by prctl(2), too.
std::string close_system_calls() {
  const Filter filter(seccomp_init(SCMP_ACT_KILL_THREAD), &seccomp_release);
  if (!filter) return "seccomp: no filter could be made";
  if (std::string problem = add(filter, kComputing); !problem.empty()) return problem;
  const int loaded = seccomp_load(filter.get());
  return loaded == 0 ? std::string() : because("seccomp", -loaded);
}

using Arguments = std::vector<scmp_arg_cmp>;

// Allows a call where all of these hold of its arguments. 0, or what libseccomp says.
int allow_where(const Filter& filter, int call, const Arguments& hold) {
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, static_cast<unsigned>(hold.size()), hold.data());
}

// Of sending: by MSG_FASTOPEN a socket is connected that is not yet. Of prctl(2): what limit_files() says before each of its calls.
int add_by_arguments(const Filter& filter) {
  constexpr std::uint64_t kConnects = MSG_FASTOPEN;
  int added = allow_where(filter, SCMP_SYS(sendmsg), {{2, SCMP_CMP_MASKED_EQ, kConnects, 0}});
  if (added == 0) added = allow_where(filter, SCMP_SYS(sendto), {{3, SCMP_CMP_MASKED_EQ, kConnects, 0}, {4, SCMP_CMP_EQ, 0, 0}});
  if (added == 0) added = allow_where(filter, SCMP_SYS(prctl), {{0, SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS, 0}});
  return added;
}

// Threads, but no processes; the arguments of clone3(2) lie in memory, where a filter cannot look: glibc then takes clone(2). And the
// socket that DCMTK makes before it connects.
int add_threads(const Filter& filter) {
  constexpr std::uint64_t kTypes = 0xf;
  int added = allow_where(filter, SCMP_SYS(clone), {{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}});
  if (added == 0) added = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (added == 0) {
    added = allow_where(filter, SCMP_SYS(socket), {{0, SCMP_CMP_EQ, AF_INET, 0}, {1, SCMP_CMP_MASKED_EQ, kTypes, SOCK_STREAM}});
  }
  return added;
}

// The filter in the kernel's own form: libseccomp gives it to a descriptor only, and it is smaller than a pipe.
std::vector<sock_filter> exported(const Filter& filter) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error(because("seccomp"));
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  if (const int error = seccomp_export_bpf(filter.get(), to.get()); error != 0) throw std::runtime_error(because("seccomp", -error));
  to.reset();
  std::vector<sock_filter> program(4096);
  const ssize_t size = read(from.get(), program.data(), program.size() * sizeof(sock_filter));
  if (size <= 0) throw std::runtime_error(because("seccomp"));
  program.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
  return program;
}

}  // namespace

std::string enter(const Bounds& bounds) {
  const bool bounded = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CPU, bounds.cpu_seconds) &&
                       (kSanitized || limit(RLIMIT_AS, bounds.memory_bytes));
  if (!bounded) return because("limits of resources");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no new privileges");
  if (kSanitized) return {};
  if (const long version = landlock_version(); version > 0) {
    if (std::string problem = restrict_to({}, version); !problem.empty()) return problem;
  }
  return close_system_calls();
}

std::string limit_files(const std::vector<Place>& places) {
  if (kSanitized) return {};
  const long version = landlock_version();
  // The first version forbids to rename and link from one folder to another, whatever its rules say.
  if (version < LandlockVersion::kRename) return {};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no new privileges");
  return restrict_to(places, version);
}

CallFilter::CallFilter(Role role) {
  if (kSanitized) return;
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter) throw std::runtime_error("seccomp: no filter could be made");
  std::string problem = add(filter, kComputing);
  if (problem.empty()) problem = add(filter, kFilesAndConnections);
  if (problem.empty()) problem = role == Role::receiver ? add(filter, kKeeping) : add(filter, kThreads);
  if (!problem.empty()) throw std::runtime_error(problem);
  int added = add_by_arguments(filter);
  if (added == 0 && role == Role::sender) added = add_threads(filter);
  if (added != 0) throw std::runtime_error(because("seccomp", -added));
  program_ = exported(filter);
}

std::string CallFilter::enforce() const {
  if (kSanitized) return {};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return because("no new privileges");
  sock_fprog program{static_cast<unsigned short>(program_.size()), const_cast<sock_filter*>(program_.data())};
  // EINVAL: a kernel without filters.
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 || errno == EINVAL) return {};
  return because("seccomp");
}

std::vector<std::string> lacking() {
  std::vector<std::string> parts;
  const long version = landlock_version();
  const Descriptor ruleset = version < LandlockVersion::kRename ? Descriptor() : ruleset_of(version);
  if (!ruleset || !allow(ruleset, version, {"/", Access::read})) parts.emplace_back("Landlock, version 2 or newer");
  // With no filter given, EFAULT says that one could be taken.
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno != EFAULT) parts.emplace_back("filters of system calls (seccomp)");
  return parts;
}

}  // namespace mercure::jail
