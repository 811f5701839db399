#include "receive/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "json.h"

namespace mercure::receive {

namespace {

// Longer times are a mistake in the unit.
constexpr double kMostSeconds = 366.0 * 86'400;

// An AE title (PS3.5 section 6.2): 1 to 16 characters of the default repertoire without backslash, not only spaces.
bool is_ae_title(const std::string& title) {
  return !title.empty() && title.size() <= 16 && title.front() != ' ' && title.back() != ' ' &&
         std::all_of(title.begin(), title.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f && letter != '\\'; });
}

bool is_address(const std::string& text) {
  in6_addr buffer{};
  return inet_pton(AF_INET, text.c_str(), &buffer) == 1 || inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

// What is wrong with a text of this kind; empty: nothing.
std::string objection_to(const std::string&, Text) { return {}; }
std::string objection_to(const std::string& text, NeededPath) {
  return !text.empty() && text.front() == '/' ? "" : "must be an absolute path";
}
std::string objection_to(const std::string& text, PathOrNothing) { return text.empty() ? "" : objection_to(text, NeededPath{}); }
std::string objection_to(const std::string& text, Address) {
  return is_address(text) ? "" : "must be a numeric IPv4 or IPv6 address";
}
std::string objection_to(const std::string& text, AeTitle) {
  return is_ae_title(text) ? "" : '"' + text + "\" is not an AE title";
}

// Reads the settings of one JSON object and collects the mistakes. A key without a setting is a mistake, too.
class Reader {
 public:
  Reader(const Json& object, std::string place, std::vector<std::string>& problems)
      : object_(object), place_(std::move(place)), problems_(problems) {}

  template <typename Value, typename... Kind>
  void operator()(const char* key, Value& into, const Kind&... kind) {
    known_.emplace_back(key);
    if (const auto found = object_.find(key); found != object_.end()) {
      take(key, *found, into, kind...);
    } else if constexpr ((std::is_same_v<Kind, NeededPath> || ...)) {
      complain(key, "is missing");
    }
  }

  void complain(const std::string& key, const std::string& what) { problems_.push_back(place_ + key + ": " + what); }

  void refuse_unknown() {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) complain(key, "is not a setting of the receiver");
    }
  }

 private:
  template <typename Kind>
  void take(const std::string& key, const Json& value, std::string& into, Kind kind) {
    if (!value.is_string()) return complain(key, "must be a text");
    const auto text = value.get<std::string>();
    const std::string objection = objection_to(text, kind);
    objection.empty() ? static_cast<void>(into = text) : complain(key, objection);
  }

  template <typename Kind>
  void take(const std::string& key, const Json& value, std::vector<std::string>& into, Kind kind) {
    if (!is_list_of_texts(value)) return complain(key, "must be a list of texts");
    for (const Json& item : value) take(key, item, into.emplace_back(), kind);
  }

  void take(const std::string& key, const Json& value, std::vector<Network>& into, Range) {
    if (!is_list_of_texts(value)) return complain(key, "must be a list of texts");
    for (const Json& item : value) {
      const auto range = item.get<std::string>();
      const auto network = Network::parse(range);
      network ? into.push_back(*network) : complain(key, '"' + range + "\" is not an address range such as 192.0.2.0/24");
    }
  }

  template <typename Number>
  void take(const std::string& key, const Json& value, Number& into, const Whole& range) {
    const bool is_whole = value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
    if (!is_whole || value.get<std::int64_t>() < range.least || value.get<std::int64_t>() > range.most) {
      complain(key, "must be a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most));
    } else {
      into = static_cast<Number>(value.get<std::int64_t>());
    }
  }

  void take(const std::string& key, const Json& value, std::chrono::milliseconds& into, Seconds range) {
    const double given = value.is_number() ? value.get<double>() : -1;
    if (given < 0 || given > kMostSeconds || (given == 0 && !range.may_be_zero)) {
      complain(key, std::string("must be a number of seconds") + (range.may_be_zero ? ", 0 or more" : " above 0"));
    } else {
      into = std::chrono::milliseconds(static_cast<long long>(given * 1000 + 0.5));
      if (given > 0 && into.count() == 0) into = std::chrono::milliseconds(1);
    }
  }

  template <typename Value>
  void take(const std::string& key, const Json& value, Value& into, const Choice<Value>& choice) {
    if (!value.is_string()) return complain(key, "must be a text");
    std::string names;
    for (const auto& [name, meant] : choice.values) {
      if (value == name) return static_cast<void>(into = meant);
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    complain(key, "must be one of " + names);
  }

  template <typename Value>
  void take(const std::string& key, const Json& value, std::optional<Value>& into, const Choice<Value>& choice) {
    take(key, value, into.emplace(), choice);
  }

  void take(const std::string& key, const Json& value, std::optional<std::int64_t>& into) {
    if (value.is_number_integer()) {
      into = value.get<std::int64_t>();
    } else if (!value.is_null()) {
      complain(key, "must be a whole number or null");
    }
  }

  void take(const std::string& key, const Json& value, std::optional<std::int64_t>& into, const Whole& range) {
    take(key, value, into.emplace(), range);
  }

  void take(const std::string& key, const Json& value, bool& into, YesNo) {
    value.is_boolean() ? static_cast<void>(into = value.get<bool>()) : complain(key, "must be true or false");
  }

  void take(const std::string& key, const Json& value, std::vector<KnownSender>& into) {
    const bool is_list = value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_object(); });
    if (!is_list) return complain(key, "must be a list of objects");
    for (const Json& item : value) take(key, item, into.emplace_back());
  }

  template <typename Object>
  auto take(const std::string& key, const Json& value, Object& into) -> decltype(visit_settings(into, *this)) {
    if (!value.is_object()) return complain(key, "must be an object");
    Reader reader(value, place_ + key + '.', problems_);
    visit_settings(into, reader);
    reader.refuse_unknown();
  }

  static bool is_list_of_texts(const Json& value) {
    return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
  }

  const Json& object_;
  std::string place_;
  std::vector<std::string>& problems_;
  std::vector<std::string> known_;
};

// Describes the settings of one object in the words of JSON Schema.
class SchemaWriter {
 public:
  template <typename Value, typename... Kind>
  void operator()(const char* key, const Value& value, const Kind&... kind) {
    properties_[key] = schema_of(value, kind...);
    if constexpr ((std::is_same_v<Kind, NeededPath> || ...)) required_.push_back(key);
  }

  template <typename Object>
  static Json schema_of_object() {
    Object object;
    SchemaWriter writer;
    visit_settings(object, writer);
    Json schema = {{"type", "object"}, {"properties", writer.properties_}, {"additionalProperties", false}};
    if (!writer.required_.empty()) schema["required"] = writer.required_;
    return schema;
  }

 private:
  template <typename Kind>
  static Json schema_of(const std::string& value, Kind) {
    if (std::is_same_v<Kind, NeededPath>) return {{"type", "string"}};
    return {{"type", "string"}, {"default", value}};
  }

  template <typename Item, typename Kind>
  static Json schema_of(const std::vector<Item>&, Kind) {
    return {{"type", "array"}, {"items", {{"type", "string"}}}, {"default", Json::array()}};
  }

  template <typename Number>
  static Json schema_of(Number value, const Whole& range) {
    return {{"type", "integer"}, {"minimum", range.least}, {"maximum", range.most}, {"default", value}};
  }

  static Json schema_of(const std::optional<std::int64_t>&, const Whole& range) {
    return {{"type", "integer"}, {"minimum", range.least}, {"maximum", range.most}};
  }

  static Json schema_of(bool value, YesNo) { return {{"type", "boolean"}, {"default", value}}; }

  static Json schema_of(std::chrono::milliseconds value, Seconds range) {
    const char* least = range.may_be_zero ? "minimum" : "exclusiveMinimum";
    return {{"type", "number"}, {least, 0}, {"maximum", kMostSeconds}, {"default", std::chrono::duration<double>(value).count()}};
  }

  template <typename Value>
  static Json schema_of(const Value& value, const Choice<Value>& choice) {
    Json schema = schema_of(std::optional<Value>(), choice);
    for (const auto& [name, meant] : choice.values) {
      if (meant == value) schema["default"] = name;
    }
    return schema;
  }

  template <typename Value>
  static Json schema_of(const std::optional<Value>&, const Choice<Value>& choice) {
    Json names = Json::array();
    for (const auto& [name, meant] : choice.values) names.push_back(name);
    return {{"type", "string"}, {"enum", names}};
  }

  static Json schema_of(const std::optional<std::int64_t>&) { return {{"type", {"integer", "null"}}, {"default", nullptr}}; }

  static Json schema_of(const std::vector<KnownSender>&) {
    return {{"type", "array"}, {"items", schema_of_object<KnownSender>()}, {"default", Json::array()}};
  }

  Json properties_ = Json::object();
  std::vector<std::string> required_;
};

void complain_of_tls(const Config& config, Reader& reader) {
  if (config.tls_certificate.empty() != config.tls_key.empty()) reader.complain("tls_key", "goes together with tls_certificate");
  if (config.tls_clients != dimse::ClientCertificates::none && config.tls_ca.empty()) {
    reader.complain("tls_clients", "needs tls_ca: who may have signed the certificates of senders");
  }
  if (!config.plain && config.tls_certificate.empty()) reader.complain("plain", "false without tls_certificate would refuse everybody");
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
  Config config;
  Reader reader(object, "", problems);
  visit_settings(config, reader);
  reader.refuse_unknown();
  if (config.access == Access::listed && config.senders.empty()) {
    reader.complain("access", "\"listed\" without senders would refuse everybody; name at least one");
  }
  complain_of_tls(config, reader);
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

std::string settings_schema() { return to_line(SchemaWriter::schema_of_object<Config>()); }

}  // namespace mercure::receive
