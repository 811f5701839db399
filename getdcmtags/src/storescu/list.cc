#include "storescu/list.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace mercure::storescu {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::optional<std::vector<std::string>> read_list(int descriptor, Clock::time_point limit) {
  const Deadline deadline(limit);
  std::string text;
  std::array<char, 65536> piece;
  while (!deadline.expired() && !Stop::requested()) {
    std::array<pollfd, 2> watched{{{descriptor, POLLIN, 0}, {Stop::descriptor(), POLLIN, 0}}};
    const int ready = poll(watched.data(), watched.size(), deadline.milliseconds_left());
    if (ready <= 0 || watched[0].revents == 0) continue;
    const ssize_t count = read(descriptor, piece.data(), piece.size());
    if (count == 0) return lines_of(text);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return std::nullopt;
    if (count > 0) text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return std::nullopt;
}

}  // namespace mercure::storescu
