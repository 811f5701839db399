// Shuts the calling process in, for work on bytes that nobody vouches for: from then on it computes and uses the
// descriptors that it has, and nothing else. No file, no network, no other process can be reached.
//
// Who must reach some files shuts itself in by two parts: limit_files() (Landlock) and CallFilter (seccomp). What a kernel lacks of
// them is left out, and lacking() tells it; anything else that goes wrong is a problem, and the process must not go on.
#ifndef MERCURE_JAIL_JAIL_H
#define MERCURE_JAIL_JAIL_H

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mercure::jail {

struct Bounds {
  std::uint64_t memory_bytes;
  std::uint64_t cpu_seconds;
};

// Limits of resources, Landlock where the kernel has it, and seccomp. A system call that is not on the list ends the
// process. An empty text, or why it could not be done; then the process must not go on.
std::string enter(const Bounds& bounds);

// What may be done to a file, or to what is below a folder.
enum class Access : std::uint8_t {
  read,    // files and folders are read
  work,    // and made, written, renamed, linked and removed
  append,  // files are made and written; none is read, none removed
  enter,   // folders are made, and removed when they are empty
};

struct Place {
  std::string path;
  Access access;
};

// From now on files can be reached by name at these places only; a place that does not exist is passed over. What is open stays
// open. Each further call narrows it: what all calls allow is allowed. An empty text, or why it could not be done.
std::string limit_files(const std::vector<Place>& places);

// The system calls that a process may use. Others fail with EPERM, so that what needed one after all does not end the process.
// Made once, in good time; enforced without further preparation.
class CallFilter {
 public:
  enum class Role : std::uint8_t {
    receiver,  // works on files, and on the connections that it has
    sender,    // also starts threads and makes sockets, which it cannot connect
  };

  // Throws std::runtime_error.
  explicit CallFilter(Role role);

  // For this thread, and those that it starts. An empty text, or why it could not be done.
  std::string enforce() const;

 private:
  std::vector<sock_filter> program_;
};

// What this kernel lacks for a jail, in words.
std::vector<std::string> lacking();

}  // namespace mercure::jail

#endif
