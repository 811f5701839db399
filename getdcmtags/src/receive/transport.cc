#include "receive/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>

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

Transport::Transport(int socket, Patience& patience) : DcmTCPConnection(socket), patience_(patience) {
  switch_on(socket, IPPROTO_TCP, TCP_NODELAY);
  switch_on(socket, SOL_SOCKET, SO_KEEPALIVE);
}

ssize_t Transport::read(void* buffer, size_t size) {
  while (true) {
    const ssize_t count = recv(getSocket(), buffer, size, MSG_DONTWAIT);
    if (count > 0) {
      // The kernel leaves quick acknowledgement by itself again and again; asked for now, it also sends the one that is due.
      switch_on(getSocket(), IPPROTO_TCP, TCP_QUICKACK);
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

ssize_t Transport::write(void* buffer, size_t size) {
  held_.append(static_cast<const char*>(buffer), size);
  if (!holding_ && !send_held()) return -1;
  return static_cast<ssize_t>(size);
}

bool Transport::send_held() {
  holding_ = false;
  const std::string bytes = std::move(held_);
  held_.clear();
  return send_all(bytes);
}

bool Transport::send_all(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = send(getSocket(), bytes.data() + done, bytes.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(POLLOUT)) return false;
    } else if (errno != EINTR) {
      lost_ = true;
      return false;
    }
  }
  return true;
}

OFBool Transport::networkDataAvailable(int) { return wait(POLLIN) ? OFTrue : OFFalse; }

bool Transport::out_of_patience() {
  const auto now = Patience::Clock::now();
  if (stop_request::is_made()) patience_.stop_requested(now);
  if (!expired_) expired_ = patience_.expired(now);
  return expired_.has_value();
}

bool Transport::wait(short events) {
  while (!out_of_patience()) {
    // A stop request that is known already would make poll() return at once, for ever.
    std::array<pollfd, 2> watched = {{{getSocket(), events, 0}, {stop_request::descriptor(), POLLIN, 0}}};
    const nfds_t count = patience_.is_stopping() ? 1 : 2;
    const int ready = poll(watched.data(), count, patience_.milliseconds_left(Patience::Clock::now()));
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && watched[0].revents != 0) return true;
  }
  return false;
}

void Transport::abort(AbortSource source, std::uint8_t reason) {
  held_.clear();
  holding_ = false;
  const std::array<std::uint8_t, 10> pdu = {7, 0, 0, 0, 0, 4, 0, 0, static_cast<std::uint8_t>(source), reason};
  [[maybe_unused]] const auto sent = send(getSocket(), pdu.data(), pdu.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Transport::finish() {
  const int socket = getSocket();
  if (lost_ || shutdown(socket, SHUT_WR) != 0) return;
  const auto end = Patience::Clock::now() + kLastWords;
  std::array<char, 65536> ignored;
  pollfd watched = {socket, POLLIN, 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Patience::Clock::now()).count();
    if (left <= 0 || poll(&watched, 1, static_cast<int>(left)) <= 0) return;
    if (recv(socket, ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) return;
  }
}

DcmTransportConnection* TransportLayer::createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) {
  if (use_secure_layer) return nullptr;
  transport_ = new Transport(socket, patience_);  // DCMTK's association deletes it
  return transport_;
}

}  // namespace mercure::receive
