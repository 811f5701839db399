#include "receive/known_senders.h"

#include <algorithm>
#include <string_view>

namespace mercure::receive {

bool KnownSender::sends_from(const std::string& address) const {
  return std::any_of(addresses.begin(), addresses.end(), [&](const Network& network) { return network.contains(address); });
}

bool KnownSender::matches(const std::string& calling_aet, const std::string& address) const {
  const bool has_title = ae_titles.empty() || std::find(ae_titles.begin(), ae_titles.end(), calling_aet) != ae_titles.end();
  return has_title && (addresses.empty() || sends_from(address));
}

std::string unlisted_name(const std::string& calling_aet, const std::string& address) {
  constexpr std::string_view kMapped = "::ffff:";
  const bool is_mapped = address.starts_with(kMapped) && address.find('.') != std::string::npos;
  return calling_aet + '@' + (is_mapped ? address.substr(kMapped.size()) : address);
}

const KnownSender* find_sender(const std::vector<KnownSender>& senders, const std::string& calling_aet, const std::string& address) {
  const auto found = std::find_if(senders.begin(), senders.end(), [&](const KnownSender& one) { return one.matches(calling_aet, address); });
  return found == senders.end() ? nullptr : &*found;
}

}  // namespace mercure::receive
