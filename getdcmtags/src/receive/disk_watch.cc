#include "receive/disk_watch.h"

#include <optional>

#include "receive/free_space.h"
#include "receive/log.h"

namespace mercure::receive {

void DiskWatch::look(std::uint64_t floor_bytes) {
  const auto space = FreeSpace::of(path_);
  if (!space) return;
  // The disk counts as free again only with a twentieth to spare, so that no event comes every few seconds at the floor.
  const std::uint64_t floor = is_low_ ? floor_bytes + floor_bytes / 20 : floor_bytes;
  const bool is_low = !space->shortage(floor).empty();
  if (is_low == is_low_) return;
  is_low_ = is_low;
  const Json details = {
      {"free_bytes", space->free_bytes}, {"total_bytes", space->total_bytes}, {"floor_bytes", floor_bytes}};
  if (is_low) {
    log::error("the disk is full: images are refused until there is room", details);
  } else {
    log::info("there is room on the disk again", details);
  }
  outbox_.emit(is_low ? "disk.low" : "disk.ok", std::nullopt, details);
}

}  // namespace mercure::receive
