// Senders named in the configuration, with their own settings. The Python twin is mercure/config/senders.py.
#ifndef MERCURE_RECEIVE_KNOWN_SENDERS_H
#define MERCURE_RECEIVE_KNOWN_SENDERS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "receive/access.h"

namespace mercure::receive {

// Which of the transfer syntaxes of a presentation context is taken.
enum class Syntaxes : std::uint8_t {
  as_held,             // that in which the sender most likely holds the image
  uncompressed_mixed,  // an uncompressed one where there are both: learned of a sender that could not send
  uncompressed,        // an uncompressed one wherever the sender offers it for the SOP class
};

struct KnownSender {
  std::vector<std::string> ae_titles;  // empty: any
  std::vector<Network> addresses;      // empty: any
  std::optional<Syntaxes> transfer_syntaxes;
  std::string character_set;  // assumed where its images name none; empty: as for all

  bool sends_from(const std::string& address) const;
  bool matches(const std::string& calling_aet, const std::string& address) const;
};

}  // namespace mercure::receive

#endif
