// Shuts the calling process in, for work on bytes that nobody vouches for: from then on it computes and uses the
// descriptors that it has, and nothing else. No file, no network, no other process can be reached.
#ifndef MERCURE_JAIL_JAIL_H
#define MERCURE_JAIL_JAIL_H

#include <cstdint>
#include <string>

namespace mercure::jail {

struct Bounds {
  std::uint64_t memory_bytes;
  std::uint64_t cpu_seconds;
};

// Limits of resources, Landlock where the kernel has it, and seccomp. A system call that is not on the list ends the
// process. An empty text, or why it could not be done; then the process must not go on.
std::string enter(const Bounds& bounds);

}  // namespace mercure::jail

#endif
