// Who may send, and ranges of addresses.
#ifndef MERCURE_RECEIVE_ACCESS_H
#define MERCURE_RECEIVE_ACCESS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mercure::receive {

// A range of addresses in CIDR notation; IPv4 is held as IPv6-mapped, so one comparison serves both.
class Network {
 public:
  // Nothing when `text` is not an address or range ("192.0.2.0/24", "2001:db8::/32", "192.0.2.7").
  static std::optional<Network> parse(const std::string& text);

  // Tells whether the numeric address `text` is in the range; IPv4-mapped IPv6 addresses count as IPv4.
  bool contains(const std::string& text) const;

 private:
  using Bytes = std::array<std::uint8_t, 16>;
  static std::optional<Bytes> bytes_of(const std::string& address);

  Bytes first_{};
  unsigned bits_ = 0;
};

// Tells whether one of the ranges has the numeric address.
bool contains(const std::vector<Network>& networks, const std::string& address);

// Writes an address of a family (AF_INET or AF_INET6) in network byte order; one of IPv4 that is written as one of IPv6 is that of IPv4.
std::string address_text(int family, const void* bytes);

enum class Access : std::uint8_t {
  open,    // everybody
  learn,   // everybody, while a person makes the list
  listed,  // only the senders in the configuration
};

}  // namespace mercure::receive

#endif
