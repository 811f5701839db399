// The header of the PROXY protocol, version 2, by which a proxy says who calls by way of it (HAProxy: "The PROXY protocol",
// section 2.2).
#ifndef MERCURE_RECEIVE_PROXY_HEADER_H
#define MERCURE_RECEIVE_PROXY_HEADER_H

#include <cstddef>
#include <string>
#include <string_view>

namespace mercure::receive {

struct ProxyHeader {
  enum class State {
    incomplete,  // nothing is wrong so far, and `size` bytes are needed
    local,       // the proxy speaks for itself, as it does when it looks whether we are alive
    proxied,     // it speaks for the caller at `address`
    wrong,       // `fault` says why
  };

  // The fixed part, and the longest header that is taken: beyond addresses of IPv6 it leaves room for 4,000 bytes of additions.
  static constexpr std::size_t kLeastBytes = 16;
  static constexpr std::size_t kMostBytes = 4096;

  State state = State::incomplete;
  std::size_t size = kLeastBytes;  // of the header, as far as the bytes tell; never more than kMostBytes
  std::string address = {};        // numeric; one of IPv4 that is written as one of IPv6 is written as IPv4
  std::string fault = {};
};

// Reads the header from the first bytes of a connection; what stands behind it is not looked at. Additions (TLV) are passed over.
ProxyHeader read_proxy_header(std::string_view bytes);

}  // namespace mercure::receive

#endif
