#include "receive/known_senders.h"

#include <algorithm>
#include <string_view>

namespace mercure::receive {

bool KnownSender::sends_from(const std::string& address) const {
  return contains(addresses, address);
}

bool KnownSender::matches(const Sender& sender) const {
  const bool has_title = ae_titles.empty() || std::find(ae_titles.begin(), ae_titles.end(), sender.calling_aet) != ae_titles.end();
  const auto& names = sender.certificate_names;
  const bool has_certificate = certificate_subject.empty() || certificate_subject == sender.certificate_subject ||
                               std::find(names.begin(), names.end(), certificate_subject) != names.end();
  return has_title && has_certificate && (addresses.empty() || sends_from(sender.address));
}

std::string unlisted_name(const std::string& calling_aet, const std::string& address) {
  constexpr std::string_view kMapped = "::ffff:";
  const bool is_mapped = address.starts_with(kMapped) && address.find('.') != std::string::npos;
  return calling_aet + '@' + (is_mapped ? address.substr(kMapped.size()) : address);
}

const KnownSender* find_sender(const std::vector<KnownSender>& senders, const Sender& sender) {
  const auto found = std::find_if(senders.begin(), senders.end(), [&](const KnownSender& one) { return one.matches(sender); });
  return found == senders.end() ? nullptr : &*found;
}

}  // namespace mercure::receive
