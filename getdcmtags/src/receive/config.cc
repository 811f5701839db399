#include "receive/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <sstream>

#include "json.h"

namespace mercure::receive {

namespace {

// Takes typed values out of one JSON object and collects what is wrong with them. What nobody took is unknown.
class Reader {
 public:
  Reader(const Json& object, std::string place, std::vector<std::string>& problems)
      : object_(object), place_(std::move(place)), problems_(problems) {}

  void complain(const std::string& key, const std::string& what) { problems_.push_back(place_ + key + ": " + what); }

  const Json* find(const std::string& key) {
    known_.push_back(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  void text(const std::string& key, std::string& into, bool required = false) {
    const Json* value = find(key);
    if (value == nullptr) {
      if (required) complain(key, "is missing");
    } else if (!value->is_string()) {
      complain(key, "must be a text");
    } else {
      into = value->get<std::string>();
    }
  }

  template <typename Number>
  void whole(const std::string& key, Number& into, std::uint64_t least, std::uint64_t most) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() < least || value->get<std::uint64_t>() > most) {
      complain(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    } else {
      into = static_cast<Number>(value->get<std::uint64_t>());
    }
  }

  void seconds(const std::string& key, std::chrono::milliseconds& into, bool zero_allowed) {
    constexpr double kMost = 365.0 * 86'400;
    const Json* value = find(key);
    if (value == nullptr) return;
    const double given = value->is_number() ? value->get<double>() : -1;
    if (given < 0 || given > kMost || (given == 0 && !zero_allowed)) {
      complain(key, std::string("must be a number of seconds") + (zero_allowed ? ", 0 or more" : " above 0"));
    } else {
      into = std::chrono::milliseconds(static_cast<long long>(given * 1000 + 0.5));
      if (given > 0 && into.count() == 0) into = std::chrono::milliseconds(1);
    }
  }

  void texts(const std::string& key, std::vector<std::string>& into) {
    const Json* value = find(key);
    if (value == nullptr) return;
    const bool good = value->is_array() &&
                      std::all_of(value->begin(), value->end(), [](const Json& item) { return item.is_string(); });
    if (good) {
      into = value->get<std::vector<std::string>>();
    } else {
      complain(key, "must be a list of texts");
    }
  }

  // A text out of a table of allowed ones.
  template <typename Value>
  void choice(const std::string& key, Value& into, const std::map<std::string, Value>& choices) {
    std::string name;
    text(key, name);
    if (name.empty() && !object_.contains(key)) return;
    const auto found = choices.find(name);
    if (found != choices.end()) {
      into = found->second;
      return;
    }
    std::string names;
    for (const auto& [known, value] : choices) names += (names.empty() ? "" : ", ") + known;
    complain(key, "must be one of " + names);
  }

  void refuse_unknown() {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) complain(key, "is not a setting of the receiver");
    }
  }

 private:
  const Json& object_;
  std::string place_;
  std::vector<std::string>& problems_;
  std::vector<std::string> known_;
};

// An AE title (PS3.5 section 6.2): 1 to 16 characters of the default repertoire without backslash, not only spaces.
bool is_ae_title(const std::string& title) {
  return !title.empty() && title.size() <= 16 && title.front() != ' ' && title.back() != ' ' &&
         std::all_of(title.begin(), title.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f && letter != '\\'; });
}

bool is_address(const std::string& text) {
  in6_addr buffer{};
  return inet_pton(AF_INET, text.c_str(), &buffer) == 1 || inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

void check_titles(Reader& reader, const std::string& key, const std::vector<std::string>& titles) {
  for (const std::string& title : titles) {
    if (!is_ae_title(title)) reader.complain(key, "\"" + title + "\" is not an AE title");
  }
}

void read_networks(Reader& reader, const std::string& key, std::vector<Network>& into) {
  std::vector<std::string> ranges;
  reader.texts(key, ranges);
  for (const std::string& range : ranges) {
    if (const auto network = Network::parse(range)) {
      into.push_back(*network);
    } else {
      reader.complain(key, "\"" + range + "\" is not an address range such as 192.0.2.0/24");
    }
  }
}

const std::map<std::string, Syntaxes>& syntaxes_by_name() {
  static const std::map<std::string, Syntaxes> names = {{"as-the-sender-holds-it", Syntaxes::as_held},
                                                        {"uncompressed", Syntaxes::uncompressed}};
  return names;
}

void read_senders(Reader& reader, Config& config, std::vector<std::string>& problems) {
  const Json* senders = reader.find("senders");
  if (senders == nullptr) return;
  if (!senders->is_array()) return reader.complain("senders", "must be a list of objects");
  for (const Json& item : *senders) {
    if (!item.is_object()) return reader.complain("senders", "must be a list of objects");
    Reader one(item, "senders.", problems);
    KnownSender& sender = config.senders.emplace_back();
    one.texts("ae_titles", sender.ae_titles);
    read_networks(one, "addresses", sender.addresses);
    Syntaxes syntaxes = Syntaxes::as_held;
    one.choice<Syntaxes>("transfer_syntaxes", syntaxes, syntaxes_by_name());
    if (item.contains("transfer_syntaxes")) sender.transfer_syntaxes = syntaxes;
    one.refuse_unknown();
  }
}

void read_access(const Json& value, Access& access, std::vector<std::string>& problems) {
  Reader reader(value, "access.", problems);
  reader.choice<Access::Mode>("mode", access.mode, {{"open", Access::Mode::open}, {"listed", Access::Mode::listed}});
  reader.texts("calling_aets", access.calling_aets);
  check_titles(reader, "calling_aets", access.calling_aets);
  read_networks(reader, "networks", access.networks);
  if (access.mode == Access::Mode::listed && access.calling_aets.empty() && access.networks.empty()) {
    reader.complain("mode", "\"listed\" without an AE title or a network would refuse everybody; name at least one");
  }
  reader.refuse_unknown();
}

void read_limits(Reader& reader, Config& config) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  reader.whole("max_pdu", config.max_pdu, 4096, 131072);
  reader.whole("min_free_bytes", config.min_free_bytes, 0, kMost);
  reader.whole("max_object_bytes", config.max_object_bytes, 1024, kMost);
  reader.whole("max_associations", config.max_associations, 1, 10'000);
  reader.whole("max_associations_per_sender", config.max_associations_per_sender, 1, 10'000);
  reader.seconds("acse_timeout_seconds", config.acse_timeout, false);
  reader.seconds("idle_timeout_seconds", config.idle_timeout, false);
  reader.seconds("max_association_seconds", config.max_association, true);
  reader.seconds("stop_timeout_seconds", config.stop_timeout, true);
}

void read_housekeeping(Reader& reader, Config& config) {
  std::string level = "info";
  reader.text("log_level", level);
  if (const auto known = log::level_named(level)) {
    config.log_level = *known;
  } else {
    reader.complain("log_level", "must be one of debug, info, warning, error");
  }
  const Json* revision = reader.find("revision");
  if (revision == nullptr || revision->is_null()) return;
  if (revision->is_number_integer()) {
    config.revision = revision->get<std::int64_t>();
  } else {
    reader.complain("revision", "must be a whole number or null");
  }
}

Config read_object(const Json& object, std::vector<std::string>& problems) {
  Config config;
  Reader reader(object, "", problems);
  reader.text("spool", config.spool, true);
  if (!config.spool.empty() && config.spool.front() != '/') reader.complain("spool", "must be an absolute path");
  reader.text("bind", config.bind);
  if (!is_address(config.bind)) reader.complain("bind", "must be a numeric IPv4 or IPv6 address");
  reader.whole("port", config.port, 0, 65535);
  reader.text("ae_title", config.ae_title);
  check_titles(reader, "ae_title", {config.ae_title});
  reader.texts("called_aets", config.called_aets);
  check_titles(reader, "called_aets", config.called_aets);
  reader.choice<bool>("durability", config.durable, {{"image", true}, {"none", false}});
  read_limits(reader, config);
  reader.texts("sop_classes", config.sop_classes);
  reader.choice<Syntaxes>("transfer_syntaxes", config.transfer_syntaxes, syntaxes_by_name());
  read_senders(reader, config, problems);
  if (const Json* access = reader.find("access"); access != nullptr && access->is_object()) {
    read_access(*access, config.access, problems);
  } else if (access != nullptr) {
    reader.complain("access", "must be an object");
  }
  read_housekeeping(reader, config);
  reader.refuse_unknown();
  return config;
}

}  // namespace

Config parse_config(const std::string& text) {
  Json object;
  try {
    object = Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw ConfigError(std::string("not valid JSON: ") + error.what());
  }
  if (!object.is_object()) throw ConfigError("the file must hold one JSON object");
  std::vector<std::string> problems;
  Config config = read_object(object, problems);
  if (problems.empty()) return config;
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  throw ConfigError(all);
}

Config read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw ConfigError("cannot read " + path);
  try {
    return parse_config(text.str());
  } catch (const ConfigError& error) {
    throw ConfigError(path + ": " + error.what());
  }
}

}  // namespace mercure::receive
