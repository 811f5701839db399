// The socket on which senders call.
#ifndef MERCURE_RECEIVE_LISTENER_H
#define MERCURE_RECEIVE_LISTENER_H

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "descriptor.h"

namespace mercure::receive {

struct Caller {
  Descriptor socket;
  std::string address;  // numeric; an IPv4 address that came in over IPv6 is written as IPv4. By way of a proxy: the caller's
  bool is_tls = false;  // it came to the port for TLS
  std::chrono::steady_clock::time_point since = {};  // its time to ask for an association counts from here
};

class Listener {
 public:
  // Listens nowhere.
  Listener() = default;

  // Listens on a numeric IPv4 or IPv6 address; port 0 takes a free one. Throws std::system_error.
  Listener(const std::string& address, std::uint16_t port);

  // -1: it listens nowhere; poll(2) passes over that.
  int descriptor() const { return socket_.get(); }
  std::uint16_t port() const { return port_; }

  // Takes the next caller that waits; nothing when there is none. Throws std::system_error when the system has no descriptors left.
  std::optional<Caller> accept(bool is_tls) const;

  void close() { socket_.reset(); }

 private:
  Descriptor socket_;
  std::uint16_t port_ = 0;
};

}  // namespace mercure::receive

#endif
