#include "receive/same_image.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace mercure::receive {

namespace {

constexpr std::size_t kGroupLengthEnd = 144;  // preamble, prefix, and (0002,0000) with its value
constexpr std::size_t kMaxGroupBytes = 256 << 10;
constexpr std::size_t kCompareBytes = 1 << 20;
constexpr std::uint32_t kTransferSyntaxUid = 0x0010;

struct Layout {
  std::uint64_t data_set = 0;  // where it begins
  std::uint64_t end = 0;
  std::string transfer_syntax;
};

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t index = size; index-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[at + index]);
  return number;
}

bool read_exactly(int file, char* into, std::size_t size, std::uint64_t at) {
  while (size > 0) {
    const ssize_t count = pread(file, into, size, static_cast<off_t>(at));
    if (count <= 0) return false;
    into += count;
    size -= static_cast<std::size_t>(count);
    at += static_cast<std::uint64_t>(count);
  }
  return true;
}

// Finds (0002,0010) in group 0002 as this program writes it: OB with a 32-bit length, all else with 16 bits.
std::string transfer_syntax_in(std::string_view group) {
  while (group.size() >= 12) {
    const bool is_long = group.substr(4, 2) == "OB";
    const std::size_t header = is_long ? 12 : 8;
    const std::size_t length = is_long ? number_at(group, 8, 4) : number_at(group, 6, 2);
    if (length > group.size() - header) break;
    if (number_at(group, 2, 2) == kTransferSyntaxUid) return std::string(group.substr(header, length));
    group.remove_prefix(header + length);
  }
  return {};
}

std::optional<Layout> layout_of(int file) {
  struct stat status {};
  std::string start(kGroupLengthEnd, '\0');
  if (fstat(file, &status) != 0 || !read_exactly(file, start.data(), start.size(), 0)) return std::nullopt;
  const std::size_t length = number_at(start, kGroupLengthEnd - 4, 4);
  if (length > kMaxGroupBytes) return std::nullopt;
  std::string group(length, '\0');
  if (!read_exactly(file, group.data(), length, kGroupLengthEnd)) return std::nullopt;
  return Layout{kGroupLengthEnd + length, static_cast<std::uint64_t>(status.st_size), transfer_syntax_in(group)};
}

}  // namespace

bool same_transfer_syntax(int left, int right) {
  const auto ours = layout_of(left);
  const auto theirs = layout_of(right);
  return ours && theirs && ours->transfer_syntax == theirs->transfer_syntax;
}

bool same_image(int left, int right) {
  const auto ours = layout_of(left);
  const auto theirs = layout_of(right);
  if (!ours || !theirs || ours->transfer_syntax != theirs->transfer_syntax ||
      ours->end - ours->data_set != theirs->end - theirs->data_set) {
    return false;
  }
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(kCompareBytes, ours->end - ours->data_set));
  std::vector<char> one(room);
  std::vector<char> other(room);
  for (std::uint64_t done = 0; ours->data_set + done < ours->end;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kCompareBytes, ours->end - ours->data_set - done));
    if (!read_exactly(left, one.data(), size, ours->data_set + done) ||
        !read_exactly(right, other.data(), size, theirs->data_set + done) ||
        std::memcmp(one.data(), other.data(), size) != 0) {
      return false;
    }
    done += size;
  }
  return true;
}

}  // namespace mercure::receive
