// A hole in receiver and sender, planted where they work on an image: they do what the environment asks for, as if a sender or a
// target had taken them over, and say what became of it. Linked into programs of the tests only; the code of the product is the same.
//
// MERCURE_HOLE holds a deed in each line: `read FILE`, `write FILE`, `remove FILE`, `list FOLDER`, `connect PORT`, `send PORT`,
// `exec PROGRAM`, `fork`; and `trace`, `kill`, `memory`: of its parent.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>

namespace {

// All of these give -1 and errno where it did not succeed.
long on_file(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  char byte = 'x';
  if (file < 0) return -1;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  const ssize_t moved = writes ? write(file, &byte, 1) : read(file, &byte, 1);
  close(file);
  return moved;
}

sockaddr_in loopback(const std::string& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(std::stoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

long connected(const std::string& port, bool by_sending) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  const sockaddr_in address = loopback(port);
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  // Not connect(): the sender has one of its own.
  const long done = by_sending ? sendto(made, "x", 1, MSG_FASTOPEN, target, sizeof address)
                               : syscall(SYS_connect, made, target, sizeof address);
  const int error = errno;
  close(made);
  errno = error;
  return done;
}

long forked() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  if (child > 0) waitpid(child, nullptr, 0);
  return child;
}

// Where it succeeds, nothing of this process is left to say so: the test hears nothing of what comes after it.
long executed(const std::string& program) { return execl(program.c_str(), program.c_str(), nullptr); }

long memory_of(pid_t pid) {
  char byte = 0;
  const iovec here{&byte, 1};
  const iovec there{reinterpret_cast<void*>(&loopback), 1};
  return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

long listed(const std::string& folder) {
  DIR* opened = opendir(folder.c_str());
  if (opened == nullptr) return -1;
  closedir(opened);
  return 0;
}

long deed(const std::string& what, const std::string& with) {
  if (what == "read") return on_file(with, O_RDONLY);
  if (what == "write") return on_file(with, O_WRONLY | O_CREAT);
  if (what == "remove") return unlink(with.c_str());
  if (what == "list") return listed(with);
  if (what == "connect") return connected(with, false);
  if (what == "send") return connected(with, true);
  if (what == "exec") return executed(with);
  if (what == "fork") return forked();
  const pid_t pid = getppid();
  if (what == "trace") return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr);
  if (what == "kill") return kill(pid, 0);
  if (what == "memory") return memory_of(pid);
  std::abort();
}

void do_deeds_once() {
  static bool is_done = false;
  const char* deeds = std::getenv("MERCURE_HOLE");
  if (is_done || deeds == nullptr) return;
  is_done = true;
#if defined(__SANITIZE_ADDRESS__)
  std::fputs("{\"hole\": \"open\"}\n", stderr);  // so is the jail
  return;
#endif
  std::istringstream lines(deeds);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what;
    std::string with;
    words >> what >> with;
    errno = 0;
    const bool is_done_too = deed(what, with) >= 0;
    std::fprintf(stderr, "{\"hole\": \"%s\", \"became\": \"%s\"}\n", line.c_str(), is_done_too ? "done" : std::strerror(errno));
  }
}

}  // namespace

// The receiver syncs each image, the sender announces how it reads one: both end here, where the C library's function would be.
extern "C" int fdatasync(int file) {
  do_deeds_once();
  return static_cast<int>(syscall(SYS_fdatasync, file));
}

extern "C" int posix_fadvise(int, off_t, off_t, int) noexcept {
  do_deeds_once();
  return 0;
}
