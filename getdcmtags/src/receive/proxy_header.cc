#include "receive/proxy_header.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "receive/access.h"

namespace mercure::receive {

namespace {

using State = ProxyHeader::State;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kSignatureOfVersion1 = "PROXY ";

// Where the parts stand, and their values (table in section 2.2). The upper half of a byte is the first value, the lower the second.
constexpr std::size_t kVersionAndCommand = 12;
constexpr std::size_t kFamilyAndTransport = 13;
constexpr std::size_t kLength = 14;
constexpr unsigned kVersion2 = 2;
constexpr unsigned kLocal = 0;
constexpr unsigned kProxy = 1;
constexpr unsigned kTcp = 1;

// Families of which the address of a caller can be told. An address of the caller comes first, then ours and both ports.
struct Family {
  unsigned value;
  int family;
  std::size_t size;
};
constexpr Family kFamilies[] = {{1, AF_INET, 12}, {2, AF_INET6, 36}};

unsigned byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

ProxyHeader wrong(std::string fault) { return {State::wrong, ProxyHeader::kLeastBytes, {}, std::move(fault)}; }

ProxyHeader without_signature(std::string_view bytes) {
  if (bytes.starts_with(kSignatureOfVersion1)) return wrong("version 1 of the PROXY protocol; have the proxy send version 2 (send-proxy-v2)");
  return wrong("no header of the PROXY protocol; have the proxy send one (send-proxy-v2), or take it out of 'proxies'");
}

// Of a header that has all of its bytes, and whose command is to speak for another.
ProxyHeader proxied(std::string_view header) {
  const unsigned kind = byte_at(header, kFamilyAndTransport);
  const auto found = std::find_if(std::begin(kFamilies), std::end(kFamilies), [&](const Family& one) { return one.value == kind >> 4; });
  if (found == std::end(kFamilies) || (kind & 0xf) != kTcp) return wrong("a header of the PROXY protocol that tells no address of TCP");
  if (header.size() < ProxyHeader::kLeastBytes + found->size) return wrong("a header of the PROXY protocol that is too short for its addresses");
  return {State::proxied, header.size(), address_text(found->family, header.data() + ProxyHeader::kLeastBytes), {}};
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  const std::size_t seen = std::min(bytes.size(), kSignature.size());
  if (bytes.substr(0, seen) != kSignature.substr(0, seen)) return without_signature(bytes);
  if (bytes.size() < ProxyHeader::kLeastBytes) return {};
  const unsigned version = byte_at(bytes, kVersionAndCommand) >> 4;
  const unsigned command = byte_at(bytes, kVersionAndCommand) & 0xf;
  if (version != kVersion2) return wrong("version " + std::to_string(version) + " of the PROXY protocol, which is unknown");
  if (command != kLocal && command != kProxy) return wrong("command " + std::to_string(command) + " of the PROXY protocol, which is unknown");
  const std::size_t size = ProxyHeader::kLeastBytes + (byte_at(bytes, kLength) << 8 | byte_at(bytes, kLength + 1));
  if (size > ProxyHeader::kMostBytes) return wrong("a header of the PROXY protocol that is too long");
  if (bytes.size() < size) return {State::incomplete, size, {}, {}};
  if (command == kLocal) return {State::local, size, {}, {}};
  return proxied(bytes.substr(0, size));
}

}  // namespace mercure::receive
