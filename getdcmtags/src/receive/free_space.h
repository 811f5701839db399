// The free-space floor of the spool: below it images are refused, so that tasks can still move and events be written.
#ifndef MERCURE_RECEIVE_FREE_SPACE_H
#define MERCURE_RECEIVE_FREE_SPACE_H

#include <cstdint>
#include <optional>
#include <string>

namespace mercure::receive {

struct FreeSpace {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::optional<std::uint64_t> free_inodes;  // nothing where the file system makes them as needed

  // Asks the file system that holds `path`; nothing when it does not answer.
  static std::optional<FreeSpace> of(const std::string& path);

  // Why nothing more can be taken, for the sender and the log; empty when it can.
  std::string shortage(std::uint64_t floor_bytes) const;
};

}  // namespace mercure::receive

#endif
