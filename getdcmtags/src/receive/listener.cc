#include "receive/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "receive/access.h"

namespace mercure::receive {

namespace {

constexpr int kBacklog = 1024;

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

// A socket address of either family, with its length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* any() { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr_in* v4() { return reinterpret_cast<sockaddr_in*>(&storage); }
  sockaddr_in6* v6() { return reinterpret_cast<sockaddr_in6*>(&storage); }
};

SocketAddress parse(const std::string& address, std::uint16_t port) {
  SocketAddress parsed;
  if (inet_pton(AF_INET, address.c_str(), &parsed.v4()->sin_addr) == 1) {
    parsed.v4()->sin_family = AF_INET;
    parsed.v4()->sin_port = htons(port);
    parsed.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, address.c_str(), &parsed.v6()->sin6_addr) == 1) {
    parsed.v6()->sin6_family = AF_INET6;
    parsed.v6()->sin6_port = htons(port);
    parsed.size = sizeof(sockaddr_in6);
  } else {
    errno = EINVAL;
    fail("not a numeric address: " + address);
  }
  return parsed;
}

std::string text_of(SocketAddress& address) {
  const int family = address.storage.ss_family;
  return address_text(family, family == AF_INET ? static_cast<void*>(&address.v4()->sin_addr) : &address.v6()->sin6_addr);
}

}  // namespace

Listener::Listener(const std::string& address, std::uint16_t port) {
  SocketAddress place = parse(address, port);
  const std::string name = address + " port " + std::to_string(port);
  socket_ = Descriptor(socket(place.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) fail("socket");
  const int on = 1;
  const int off = 0;
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail("SO_REUSEADDR");
  if (place.storage.ss_family == AF_INET6 &&
      setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
    fail("IPV6_V6ONLY");
  }
  if (bind(socket_.get(), place.any(), place.size) != 0) fail("cannot bind " + name);
  if (listen(socket_.get(), kBacklog) != 0) fail("cannot listen on " + name);
  SocketAddress bound;
  if (getsockname(socket_.get(), bound.any(), &bound.size) != 0) fail("getsockname");
  port_ = ntohs(bound.storage.ss_family == AF_INET ? bound.v4()->sin_port : bound.v6()->sin6_port);
}

std::optional<Caller> Listener::accept(bool is_tls) const {
  SocketAddress peer;
  const int number = accept4(socket_.get(), peer.any(), &peer.size, SOCK_CLOEXEC);
  if (number >= 0) return Caller{Descriptor(number), text_of(peer), is_tls, std::chrono::steady_clock::now()};
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) fail("accept");
  return std::nullopt;  // no caller waits, or it is gone again
}

}  // namespace mercure::receive
