#include "storescu/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

namespace mercure::storescu {
namespace {

constexpr std::size_t kShort = 4096;

// Faster or tidier with it, but nothing is lost without.
void switch_on(int socket, int level, int option) {
  const int on = 1;
  [[maybe_unused]] const int result = setsockopt(socket, level, option, &on, sizeof on);
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

Transport::Transport(int socket, Deadline& deadline, ConnectionState& state)
    : DcmTCPConnection(socket), deadline_(deadline), state_(state) {
  switch_on(socket, IPPROTO_TCP, TCP_NODELAY);
  switch_on(socket, SOL_SOCKET, SO_KEEPALIVE);
}

ssize_t Transport::read(void* buffer, size_t size) {
  while (true) {
    // A target that keeps Nagle's algorithm sends the second part of its answer when the first is acknowledged. The
    // kernel leaves quick acknowledgement by itself, so it is asked for before each read.
    switch_on(getSocket(), IPPROTO_TCP, TCP_QUICKACK);
    const ssize_t count = recv(getSocket(), buffer, size, MSG_DONTWAIT);
    if (count > 0) return count;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && would_block()) {
      if (wait(POLLIN)) continue;
      errno = ETIMEDOUT;
      return -1;
    }
    state_.lost = true;
    return count;
  }
}

ssize_t Transport::write(void* buffer, size_t size) {
  const std::string_view bytes(static_cast<const char*>(buffer), size);
  if (corked_ && size < kShort) {
    held_ += bytes;
    return static_cast<ssize_t>(size);
  }
  const bool sent = send_both(held_, bytes);
  held_.clear();
  return sent ? static_cast<ssize_t>(size) : -1;
}

bool Transport::uncork() {
  corked_ = false;
  return flush();
}

bool Transport::flush() {
  const bool sent = send_both(held_, {});
  held_.clear();
  return sent;
}

bool Transport::has_news(Seconds most) {
  pollfd watched{getSocket(), POLLIN, 0};
  return poll(&watched, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(most).count())) > 0;
}

bool Transport::send_both(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    std::array<iovec, 2> parts{{{const_cast<char*>(first.data()), first.size()},
                                {const_cast<char*>(second.data()), second.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t count = sendmsg(getSocket(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      const auto of_first = std::min(first.size(), static_cast<std::size_t>(count));
      first.remove_prefix(of_first);
      second.remove_prefix(static_cast<std::size_t>(count) - of_first);
      if (per_progress_) deadline_.begin(*per_progress_);
    } else if (would_block()) {
      if (!wait(POLLOUT)) return false;
    } else if (errno != EINTR) {
      state_.lost = true;
      return false;
    }
  }
  return true;
}

OFBool Transport::networkDataAvailable(int) { return wait(POLLIN) ? OFTrue : OFFalse; }

bool Transport::wait(short events) {
  while (!(state_.expiry = deadline_.expired())) {
    // A request to stop that is known already would end each poll at once.
    std::array<pollfd, 2> watched{{{getSocket(), events, 0}, {Stop::descriptor(), POLLIN, 0}}};
    const nfds_t count = Stop::requested() ? 1 : 2;
    const int ready = poll(watched.data(), count, deadline_.milliseconds_left());
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && watched[0].revents != 0) return true;
  }
  return false;
}

DcmTransportConnection* TransportLayer::createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) {
  if (use_secure_layer) return nullptr;
  deadline_.begin(acse_timeout_);
  state_.connected = true;
  transport_ = new Transport(socket, deadline_, state_);  // DCMTK's association deletes it
  return transport_;
}

}  // namespace mercure::storescu
