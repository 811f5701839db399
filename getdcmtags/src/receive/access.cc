#include "receive/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

namespace mercure::receive {

namespace {

constexpr unsigned kMappedBits = 96;  // ::ffff:0:0/96, the IPv4-mapped addresses (RFC 4291)

}  // namespace

std::optional<Network::Bytes> Network::bytes_of(const std::string& address) {
  Bytes bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return bytes;
  bytes.fill(0);
  bytes[10] = bytes[11] = 0xff;
  if (inet_pton(AF_INET, address.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

std::optional<Network> Network::parse(const std::string& text) {
  const auto slash = text.find('/');
  const std::string address = text.substr(0, slash);
  const auto first = bytes_of(address);
  if (!first) return std::nullopt;
  const unsigned base = address.find(':') == std::string::npos ? kMappedBits : 0;

  Network network;
  network.first_ = *first;
  network.bits_ = 128;
  if (slash == std::string::npos) return network;
  unsigned bits = 0;
  const char* digits = text.data() + slash + 1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(digits, end, bits);
  if (digits == end || error != std::errc() || stop != end || bits + base > 128) return std::nullopt;
  network.bits_ = bits + base;
  return network;
}

bool Network::contains(const std::string& text) const {
  const auto bytes = bytes_of(text);
  if (!bytes) return false;
  const std::size_t whole = bits_ / 8;
  if (std::memcmp(bytes->data(), first_.data(), whole) != 0) return false;
  const unsigned rest = bits_ % 8;
  return rest == 0 || (((*bytes)[whole] ^ first_[whole]) >> (8 - rest)) == 0;
}

bool contains(const std::vector<Network>& networks, const std::string& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Network& network) { return network.contains(address); });
}

std::string address_text(int family, const void* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (inet_ntop(family, bytes, text.data(), text.size()) == nullptr) return "unknown";
  const std::string result = text.data();
  constexpr std::string_view kMapped = "::ffff:";
  const bool is_mapped = result.starts_with(kMapped) && result.find('.') != std::string::npos;
  return is_mapped ? result.substr(kMapped.size()) : result;
}

}  // namespace mercure::receive
