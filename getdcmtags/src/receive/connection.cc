#include "receive/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "receive/stop_request.h"

namespace mercure::receive {

namespace {

constexpr auto kLastWords = std::chrono::milliseconds(500);

void switch_on(int socket, int level, int option) {
  const int on = 1;
  // Each of them makes things faster or tidier; none is worth an association.
  [[maybe_unused]] const int result = setsockopt(socket, level, option, &on, sizeof on);
}

}  // namespace

Connection::Connection(Descriptor socket, Deadlines& deadlines) : socket_(std::move(socket)), deadlines_(deadlines) {
  switch_on(socket_.get(), IPPROTO_TCP, TCP_NODELAY);
  switch_on(socket_.get(), SOL_SOCKET, SO_KEEPALIVE);
}

// DCMTK leaves Nagle's algorithm and delayed acknowledgement as they are, and a sender that nobody tuned is then held to some 20
// images a second; its own time limits count anew with each read. So we read without blocking and wait by our own clock.
ssize_t Connection::read(void* buffer, std::size_t size) {
  while (true) {
    const ssize_t count = recv(socket_.get(), buffer, size, MSG_DONTWAIT);
    if (count > 0) {
      // The kernel leaves quick acknowledgement by itself again and again; asked for now, it also sends the one that is due.
      switch_on(socket_.get(), IPPROTO_TCP, TCP_QUICKACK);
      bytes_read_ += static_cast<std::uint64_t>(count);
      return count;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (wait(POLLIN)) continue;
      errno = ETIMEDOUT;
      return -1;
    }
    lost_ = true;
    return count;
  }
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(POLLOUT)) return false;
    } else if (errno != EINTR) {
      lost_ = true;
      return false;
    }
  }
  return true;
}

bool Connection::wait_for_bytes() { return wait(POLLIN); }

bool Connection::limit_passed() {
  const auto now = Deadlines::Clock::now();
  if (stop_request::is_made()) {
    const bool is_wanted = wanted_ != nullptr && *wanted_;
    is_wanted ? deadlines_.place_wanted(now) : deadlines_.stop_requested(now);
  }
  if (!expired_) expired_ = deadlines_.expired(now);
  return expired_.has_value();
}

bool Connection::wait(short events) {
  while (!limit_passed()) {
    // A stop request that is known already would make poll() return at once, for ever.
    std::array<pollfd, 2> watched = {{{socket_.get(), events, 0}, {stop_request::descriptor(), POLLIN, 0}}};
    const nfds_t count = deadlines_.is_stopping() ? 1 : 2;
    const int ready = poll(watched.data(), count, deadlines_.milliseconds_left(Deadlines::Clock::now()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && watched[0].revents != 0) return true;
  }
  return false;
}

void Connection::send_last(std::string_view bytes) {
  [[maybe_unused]] const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Connection::finish() {
  if (lost_ || shutdown(socket_.get(), SHUT_WR) != 0) return;
  const auto end = Deadlines::Clock::now() + kLastWords;
  std::array<char, 65536> ignored;
  pollfd watched = {socket_.get(), POLLIN, 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Deadlines::Clock::now()).count();
    if (left <= 0 || poll(&watched, 1, static_cast<int>(left)) <= 0) return;
    if (recv(socket_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace mercure::receive
