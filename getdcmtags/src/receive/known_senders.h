// Senders named in the configuration, with their own settings. The Python twin is mercure/config/senders.py.
#ifndef MERCURE_RECEIVE_KNOWN_SENDERS_H
#define MERCURE_RECEIVE_KNOWN_SENDERS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "receive/access.h"
#include "receive/sender.h"

namespace mercure::receive {

// Which of the transfer syntaxes of a presentation context is taken.
enum class Syntaxes : std::uint8_t {
  as_held,             // that in which the sender most likely holds the image
  uncompressed_mixed,  // an uncompressed one where there are both: learned of a sender that could not send
  uncompressed,        // an uncompressed one wherever the sender offers it for the SOP class
};

// What is taken from one sender at most; absent: not limited.
struct Quotas {
  std::optional<std::int64_t> associations;       // at once
  std::optional<std::int64_t> images_per_second;  // on the average of a minute
  std::optional<std::int64_t> bytes_per_day;      // a day of UTC

  bool is_empty() const { return !associations && !images_per_second && !bytes_per_day; }
};

struct KnownSender {
  std::string name;                    // in the configuration; empty: none
  std::vector<std::string> ae_titles;  // empty: any
  std::vector<Network> addresses;      // empty: any
  std::string certificate_subject;     // its subject, or one of its names; empty: it needs no certificate
  std::vector<std::string> called_aets;  // AE titles by which it may call; empty: as for all
  bool is_disabled = false;              // nothing is taken from it, whoever else may send
  Quotas quotas;
  std::optional<Syntaxes> transfer_syntaxes;
  std::string character_set;  // assumed where its images name none; empty: as for all

  bool sends_from(const std::string& address) const;
  bool matches(const Sender& sender) const;
};

// Names a sender that has no entry, as mercure/config/senders.py does. An address of IPv4 that came over IPv6 is the same one.
std::string unlisted_name(const std::string& calling_aet, const std::string& address);

// The first that matches; null: none.
const KnownSender* find_sender(const std::vector<KnownSender>& senders, const Sender& sender);

}  // namespace mercure::receive

#endif
