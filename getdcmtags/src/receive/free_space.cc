#include "receive/free_space.h"

#include <sys/statvfs.h>

namespace mercure::receive {

namespace {

constexpr std::uint64_t kInodeFloor = 1024;  // an image takes one, its way through the spool a few more
constexpr std::uint64_t kMebibyte = 1 << 20;

}  // namespace

std::optional<FreeSpace> FreeSpace::of(const std::string& path) {
  struct statvfs state {};
  if (statvfs(path.c_str(), &state) != 0) return std::nullopt;
  FreeSpace space;
  space.free_bytes = static_cast<std::uint64_t>(state.f_bavail) * state.f_frsize;
  space.total_bytes = static_cast<std::uint64_t>(state.f_blocks) * state.f_frsize;
  if (state.f_files > 0) space.free_inodes = state.f_favail;
  return space;
}

std::string FreeSpace::shortage(std::uint64_t floor_bytes) const {
  if (free_bytes < floor_bytes) {
    return "Out of space: " + std::to_string(free_bytes / kMebibyte) + " MiB free, floor " +
           std::to_string(floor_bytes / kMebibyte) + " MiB";
  }
  if (floor_bytes > 0 && free_inodes && *free_inodes < kInodeFloor) {
    return "Out of space: " + std::to_string(*free_inodes) + " inodes free";
  }
  return {};
}

}  // namespace mercure::receive
