// Any bytes from a proxy, read in the pieces in which a connection gives them: the header ends within its bound, and says the same
// as when it came at once.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "receive/access.h"
#include "receive/proxy_header.h"

using mercure::receive::Network;
using mercure::receive::ProxyHeader;
using mercure::receive::read_proxy_header;

namespace {

using State = ProxyHeader::State;

[[noreturn]] void unsound() { std::abort(); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ProxyHeader read;
  std::size_t heard = 0;
  while (read.state == State::incomplete && read.size <= size) {
    if (read.size <= heard || read.size > ProxyHeader::kMostBytes) unsound();
    heard = read.size;
    read = read_proxy_header(bytes.substr(0, heard));
  }
  const ProxyHeader at_once = read_proxy_header(bytes);
  if (at_once.state == State::local || at_once.state == State::proxied) {
    if (read.state != at_once.state || read.address != at_once.address || at_once.size > size) unsound();
  }
  if ((at_once.state == State::proxied) != Network::parse(at_once.address).has_value()) unsound();
  if ((at_once.state == State::wrong) == at_once.fault.empty()) unsound();
  return 0;
}
