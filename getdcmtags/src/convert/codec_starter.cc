#include "convert/codec_starter.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace mercure::convert {
namespace {

// Both ends are closed when a program is started, but those that it is given; ours do not block.
bool make_pipe(Descriptor& read_end, Descriptor& write_end, bool we_read) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  read_end = Descriptor(ends[0]);
  write_end = Descriptor(ends[1]);
  return fcntl(we_read ? ends[0] : ends[1], F_SETFL, O_NONBLOCK) == 0;
}

std::string not_started() { return std::string("the codec cannot be started: ") + std::strerror(errno); }

}  // namespace

std::string CodecProgram::start(CodecPipes& pipes) {
  Descriptor child_reads;
  Descriptor child_writes;
  if (!make_pipe(child_reads, pipes.to_codec, false) || !make_pipe(pipes.from_codec, child_writes, true)) return not_started();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_reads.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_writes.get(), STDOUT_FILENO);
  std::array<char*, 2> arguments{program_.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  errno = posix_spawn(&child_, program_.c_str(), &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (errno == 0) return {};
  child_ = -1;
  return not_started();
}

int CodecProgram::end() {
  if (child_ < 0) return 0;
  kill(child_, SIGKILL);
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
  child_ = -1;
  return status;
}

}  // namespace mercure::convert
