#include "storescu/list.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <algorithm>
#include <string>
#include <string_view>

#include "digest.h"
#include "receipt.h"

namespace mercure::storescu {
namespace {

std::vector<Listed> lines_of(std::string_view text) {
  std::vector<Listed> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.push_back(parse_line(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Listed parse_line(std::string_view line) {
  constexpr std::size_t kTail = 1 + receipt::kDigestPrefix.size() + Digest::kDigits;
  if (line.size() > kTail) {
    const auto tail = line.substr(line.size() - kTail);
    const auto digits = tail.substr(kTail - Digest::kDigits);
    if (tail[0] == '\t' && tail.substr(1, receipt::kDigestPrefix.size()) == receipt::kDigestPrefix &&
        digits.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
      return {std::string(line.substr(0, line.size() - kTail)), std::string(digits)};
    }
  }
  return {std::string(line), {}};
}

std::optional<std::vector<Listed>> read_list(int descriptor, Clock::time_point limit) {
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
