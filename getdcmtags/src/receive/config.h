// The receiver's configuration: one JSON file, written by the launcher (docs/reference/mercure-storescp.1.md).
#ifndef MERCURE_RECEIVE_CONFIG_H
#define MERCURE_RECEIVE_CONFIG_H

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dimse/tls.h"
#include "receive/access.h"
#include "receive/known_senders.h"
#include "receive/log.h"
#include "receive/quarantine.h"

namespace mercure::receive {

struct Config {
  std::string spool;  // absolute path
  std::string bind = "0.0.0.0";
  std::uint16_t port = 11112;  // 0: a free one
  bool plain = true;           // senders may call without TLS
  std::uint16_t tls_port = 2762;
  std::string tls_certificate;  // empty: nobody can call by TLS
  std::string tls_key;
  std::string tls_ca;
  std::string tls_crl;
  dimse::ClientCertificates tls_clients = dimse::ClientCertificates::none;
  std::vector<Network> proxies;  // who begins with a header of the PROXY protocol, and is believed what it says of the caller
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
  QuarantineLimits quarantine;
  std::vector<std::string> sop_classes;  // empty: every storage class, private ones too
  std::chrono::milliseconds stop_timeout{60'000};
  Syntaxes transfer_syntaxes = Syntaxes::as_held;
  std::string character_set;  // of images that name none: terms of (0008,0005); empty: none is assumed
  std::vector<KnownSender> senders;
  Access access = Access::open;
  log::Level log_level = log::Level::info;
  std::optional<std::int64_t> revision;  // of the configuration it was made from, for the events
};

// What the value of a setting may be.
struct Text {};
struct NeededPath {};  // absolute; the only kind without a default
struct PathOrNothing {};
struct Address {};     // numeric, IPv4 or IPv6
struct AeTitle {};     // PS3.5 section 6.2
struct Range {};       // of addresses: "192.0.2.0/24"
struct YesNo {};
struct Whole {
  std::int64_t least;
  std::int64_t most;
};
struct Seconds {
  bool may_be_zero;
};
template <typename Value>
struct Choice {
  std::vector<std::pair<std::string_view, Value>> values;
};

inline Choice<Syntaxes> syntaxes_by_name() {
  return {{{"as-the-sender-holds-it", Syntaxes::as_held}, {"uncompressed", Syntaxes::uncompressed}}};
}

// The table of settings; `setting` is called for each. Parser and --print-settings both go through it, so a new setting is a member
// above and a line here. Its Python twin is Receiver in mercure/config/models.py; a test compares names, ranges and defaults.
template <typename Visitor>
void visit_settings(Config& config, Visitor& setting) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  setting("spool", config.spool, NeededPath{});
  setting("bind", config.bind, Address{});
  setting("port", config.port, Whole{0, 65535});
  setting("plain", config.plain, YesNo{});
  setting("tls_port", config.tls_port, Whole{0, 65535});
  setting("tls_certificate", config.tls_certificate, PathOrNothing{});
  setting("tls_key", config.tls_key, PathOrNothing{});
  setting("tls_ca", config.tls_ca, PathOrNothing{});
  setting("tls_crl", config.tls_crl, PathOrNothing{});
  setting("tls_clients", config.tls_clients,
          Choice<dimse::ClientCertificates>{{{"none", dimse::ClientCertificates::none},
                                             {"wanted", dimse::ClientCertificates::wanted},
                                             {"required", dimse::ClientCertificates::required}}});
  setting("proxies", config.proxies, Range{});
  setting("ae_title", config.ae_title, AeTitle{});
  setting("called_aets", config.called_aets, AeTitle{});
  setting("max_pdu", config.max_pdu, Whole{4096, 131072});
  setting("durability", config.durable, Choice<bool>{{{"image", true}, {"none", false}}});
  setting("min_free_bytes", config.min_free_bytes, Whole{0, kMost});
  setting("max_associations", config.max_associations, Whole{1, 10'000});
  setting("max_associations_per_sender", config.max_associations_per_sender, Whole{1, 10'000});
  setting("acse_timeout_seconds", config.acse_timeout, Seconds{.may_be_zero = false});
  setting("idle_timeout_seconds", config.idle_timeout, Seconds{.may_be_zero = false});
  setting("max_association_seconds", config.max_association, Seconds{.may_be_zero = true});
  setting("max_object_bytes", config.max_object_bytes, Whole{1024, kMost});
  setting("quarantine_bytes", config.quarantine.bytes, Whole{0, kMost});
  setting("quarantine_objects", config.quarantine.objects, Whole{1, 100'000});
  setting("sop_classes", config.sop_classes, Text{});
  setting("transfer_syntaxes", config.transfer_syntaxes, syntaxes_by_name());
  setting("character_set", config.character_set, Text{});
  setting("stop_timeout_seconds", config.stop_timeout, Seconds{.may_be_zero = true});
  setting("senders", config.senders);
  setting("access", config.access, Choice<Access>{{{"open", Access::open}, {"learn", Access::learn}, {"listed", Access::listed}}});
  setting("log_level", config.log_level, Choice<log::Level>{{log::kLevels.begin(), log::kLevels.end()}});
  setting("revision", config.revision);
}

template <typename Visitor>
void visit_settings(KnownSender& sender, Visitor& setting) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  setting("name", sender.name, Text{});
  setting("ae_titles", sender.ae_titles, Text{});
  setting("addresses", sender.addresses, Range{});
  setting("certificate_subject", sender.certificate_subject, Text{});
  setting("called_aets", sender.called_aets, AeTitle{});
  setting("disabled", sender.is_disabled, YesNo{});
  setting("max_associations", sender.quotas.associations, Whole{1, 10'000});
  setting("max_images_per_second", sender.quotas.images_per_second, Whole{1, 100'000});
  setting("max_bytes_per_day", sender.quotas.bytes_per_day, Whole{1, kMost});
  setting("transfer_syntaxes", sender.transfer_syntaxes, syntaxes_by_name());
  setting("character_set", sender.character_set, Text{});
}

// What is wrong with a configuration file: every mistake with its place, separated by "; ".
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads a configuration file. Throws ConfigError; the file is taken whole or not at all.
Config read_config(const std::string& path);

// The same for the text of one.
Config parse_config(const std::string& text);

// The settings as one line of JSON Schema: for each its type, its range and its default.
std::string settings_schema();

}  // namespace mercure::receive

#endif
