#include "receive/known_senders.h"

#include <algorithm>

namespace mercure::receive {

bool KnownSender::sends_from(const std::string& address) const {
  return std::any_of(addresses.begin(), addresses.end(), [&](const Network& network) { return network.contains(address); });
}

bool KnownSender::matches(const std::string& calling_aet, const std::string& address) const {
  const bool has_title = ae_titles.empty() || std::find(ae_titles.begin(), ae_titles.end(), calling_aet) != ae_titles.end();
  return has_title && (addresses.empty() || sends_from(address));
}

}  // namespace mercure::receive
