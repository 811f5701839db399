// The receiver's configuration: one JSON file, written by the launcher (docs/reference/mercure-storescp.1.md).
#ifndef MERCURE_RECEIVE_CONFIG_H
#define MERCURE_RECEIVE_CONFIG_H

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "receive/access.h"
#include "receive/known_senders.h"
#include "receive/log.h"

namespace mercure::receive {

struct Config {
  std::string spool;  // absolute path
  std::string bind = "0.0.0.0";
  std::uint16_t port = 11112;  // 0: a free one
  std::string ae_title = "MERCURE";
  std::vector<std::string> called_aets;  // names by which senders may call; empty: any
  long max_pdu = 131072;
  bool durable = true;  // durability "image"; false: "none"
  std::uint64_t min_free_bytes = 1'000'000'000;
  unsigned max_associations = 100;
  unsigned max_associations_per_sender = 50;
  std::chrono::milliseconds acse_timeout{30'000};
  std::chrono::milliseconds idle_timeout{300'000};
  std::chrono::milliseconds max_association{0};  // 0: none
  std::uint64_t max_object_bytes = 16ULL << 30;
  std::vector<std::string> sop_classes;  // empty: every storage class, private ones too
  std::chrono::milliseconds stop_timeout{60'000};
  Syntaxes transfer_syntaxes = Syntaxes::as_held;
  std::vector<KnownSender> senders;
  Access access;
  log::Level log_level = log::Level::info;
  std::optional<std::int64_t> revision;  // of the configuration it was made from, for the events
};

// What is wrong with a configuration file: every mistake with its place, separated by "; ".
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads a configuration file. Throws ConfigError; the file is taken whole or not at all.
Config read_config(const std::string& path);

// The same for the text of one.
Config parse_config(const std::string& text);

}  // namespace mercure::receive

#endif
