// Tells once when the free space falls below its floor, and once when it is back.
#ifndef MERCURE_RECEIVE_DISK_WATCH_H
#define MERCURE_RECEIVE_DISK_WATCH_H

#include <cstdint>
#include <string>

#include "outbox.h"

namespace mercure::receive {

class DiskWatch {
 public:
  DiskWatch(std::string path, Outbox& outbox) : path_(std::move(path)), outbox_(outbox) {}

  // Checks the disk, and emits an event for what changed since the last check.
  void look(std::uint64_t floor_bytes);

 private:
  std::string path_;
  Outbox& outbox_;
  bool is_low_ = false;
};

}  // namespace mercure::receive

#endif
