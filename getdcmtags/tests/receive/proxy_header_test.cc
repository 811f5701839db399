#include "receive/proxy_header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace mercure::receive {
namespace {

using State = ProxyHeader::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kV4("\xc0\x00\x02\x09\x0a\x00\x00\x01\x12\x34\x2b\x67", 12);  // 192.0.2.9 to 10.0.0.1
const std::string kPorts("\x12\x34\x2b\x67", 4);
const std::string kV6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\x07' + std::string(16, '\1') + kPorts;
const std::string kMapped = std::string(10, '\0') + "\xff\xff\xc0" + std::string(1, '\0') + "\x02\x09" + std::string(16, '\1') + kPorts;

std::string header(int command, int family, const std::string& body) {
  const auto size = static_cast<unsigned>(body.size());
  return kSignature + static_cast<char>(command) + static_cast<char>(family) + static_cast<char>(size >> 8) + static_cast<char>(size & 0xff) + body;
}

std::string address_of(const std::string& bytes) {
  const ProxyHeader read = read_proxy_header(bytes);
  EXPECT_EQ(read.state, State::proxied) << read.fault;
  return read.address;
}

std::string fault_of(const std::string& bytes) {
  const ProxyHeader read = read_proxy_header(bytes);
  EXPECT_EQ(read.state, State::wrong);
  return read.fault;
}

TEST(ProxyHeaders, TellTheAddressOfTheCaller) {
  EXPECT_EQ(address_of(header(0x21, 0x11, kV4)), "192.0.2.9");
  EXPECT_EQ(address_of(header(0x21, 0x21, kV6)), "2001:db8::7");
  EXPECT_EQ(address_of(header(0x21, 0x21, kMapped)), "192.0.2.9") << "one address is one, however it is written";
  EXPECT_EQ(address_of(header(0x21, 0x11, kV4 + std::string("\x04\x00\x01\x00", 4))), "192.0.2.9") << "with an addition";
  EXPECT_EQ(address_of(header(0x21, 0x11, kV4) + "A-ASSOCIATE-RQ"), "192.0.2.9") << "what follows is of the caller";
}

TEST(ProxyHeaders, EndWhereTheySay) {
  EXPECT_EQ(read_proxy_header(header(0x21, 0x11, kV4) + "more").size, 28U);
  EXPECT_EQ(read_proxy_header(header(0x20, 0x00, "") + "more").size, 16U);
  EXPECT_EQ(read_proxy_header("").size, 16U);
  EXPECT_EQ(read_proxy_header(header(0x21, 0x21, kV6).substr(0, 16)).size, 52U);
}

TEST(ProxyHeaders, OfAProxyThatSpeaksForItselfHoldNoAddress) {
  for (const auto& bytes : {header(0x20, 0x00, ""), header(0x20, 0x11, kV4), header(0x20, 0x31, std::string(216, 'x'))}) {
    const ProxyHeader read = read_proxy_header(bytes);
    EXPECT_EQ(read.state, State::local);
    EXPECT_EQ(read.address, "");
  }
}

TEST(ProxyHeaders, ThatAreNoneOrUnknownAreRefused) {
  EXPECT_NE(fault_of("PROXY TCP4 192.0.2.9 10.0.0.1 4660 11111\r\n").find("version 1"), std::string::npos);
  EXPECT_NE(fault_of(std::string("\x01\x00\x00\x00\x00\xcd", 6)).find("no header"), std::string::npos) << "an association request";
  EXPECT_NE(fault_of("\x16\x03\x01").find("no header"), std::string::npos) << "a handshake of TLS";
  EXPECT_NE(fault_of(header(0x31, 0x11, kV4)).find("version 3"), std::string::npos);
  EXPECT_NE(fault_of(header(0x22, 0x11, kV4)).find("command 2"), std::string::npos);
  for (const int family : {0x00, 0x01, 0x10, 0x12, 0x31, 0x32, 0x41}) {
    EXPECT_NE(fault_of(header(0x21, family, std::string(216, 'x'))).find("tells no address"), std::string::npos) << family;
  }
  EXPECT_NE(fault_of(header(0x21, 0x11, kV4.substr(1))).find("too short"), std::string::npos);
  EXPECT_NE(fault_of(header(0x21, 0x21, kV4)).find("too short"), std::string::npos);
  EXPECT_NE(fault_of(header(0x21, 0x11, std::string(4081, 'x'))).find("too long"), std::string::npos);
  EXPECT_EQ(address_of(header(0x21, 0x11, kV4 + std::string(4068, 'x'))), "192.0.2.9");
}

TEST(ProxyHeaders, AreReadInAnyPieces) {
  for (const auto& bytes : {header(0x21, 0x11, kV4 + std::string(9, 't')), header(0x21, 0x21, kV6), header(0x20, 0x00, "")}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const ProxyHeader read = read_proxy_header(bytes.substr(0, size));
      EXPECT_EQ(read.state, State::incomplete) << size;
      EXPECT_GT(read.size, size);
      EXPECT_LE(read.size, bytes.size());
    }
  }
}

// One byte of a good header is another one, or its end is missing: it is never more than its bound, and never asks for what it has.
TEST(ProxyHeaders, OfAnyBytesAreBounded) {
  std::mt19937 random(1);
  const auto any = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = header(0x21, round % 2 == 0 ? 0x11 : 0x21, kV6);
    for (std::size_t changes = any(4); changes > 0; --changes) bytes[any(bytes.size())] = static_cast<char>(any(256));
    bytes.resize(any(bytes.size() + 1));
    const ProxyHeader read = read_proxy_header(bytes);
    EXPECT_LE(read.size, ProxyHeader::kMostBytes);
    EXPECT_EQ(read.state == State::incomplete, read.size > bytes.size() && read.fault.empty());
    EXPECT_EQ(read.state == State::wrong, !read.fault.empty());
    EXPECT_EQ(read.state == State::proxied, !read.address.empty());
  }
}

}  // namespace
}  // namespace mercure::receive
