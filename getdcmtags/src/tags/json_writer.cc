#include "tags/json_writer.h"

#include <array>
#include <cstdio>
#include <utility>

namespace mercure::tags {
namespace {

constexpr std::size_t kRoom = 1024;  // for most events and receipts, without growing step by step

// Only what JSON demands is escaped (RFC 8259 section 7). A table, because every character that the receiver writes comes by.
constexpr std::array<bool, 256> kMustBeEscaped = [] {
  std::array<bool, 256> escaped{};
  for (std::size_t control = 0; control < 0x20; ++control) escaped[control] = true;
  escaped['"'] = escaped['\\'] = true;
  return escaped;
}();

bool must_be_escaped(char c) { return kMustBeEscaped[static_cast<unsigned char>(c)]; }

// How many characters at the beginning can stand as they are.
std::size_t plain_length(std::string_view value) {
  std::size_t length = 0;
  while (length < value.size() && !must_be_escaped(value[length])) ++length;
  return length;
}

// The compact style has the short forms: a receipt must read as older releases wrote it, since senders are compared by its bytes.
void append_escaped(char c, JsonWriter::Style style, std::string& out) {
  constexpr std::string_view kControls = "\b\f\n\r\t";
  const auto found = style == JsonWriter::Style::compact ? kControls.find(c) : std::string_view::npos;
  if (found != std::string_view::npos) {
    out += '\\';
    out += "bfnrt"[found];
    return;
  }
  if (static_cast<unsigned char>(c) >= 0x20) {
    out += '\\';
    out += c;
    return;
  }
  std::array<char, 7> escaped;
  std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
  out += escaped.data();
}

}  // namespace

JsonWriter::JsonWriter(Style style) : style_(style) { out_.reserve(kRoom); }

JsonWriter JsonWriter::reopen(std::string object, Style style) {
  JsonWriter writer(style);
  object.pop_back();
  writer.has_members_.push_back(object.size() > 1);
  writer.out_ = std::move(object);
  return writer;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_members_.empty()) return;
  if (has_members_.back()) out_ += style_ == Style::spaced ? ", " : ",";
  has_members_.back() = true;
}

void JsonWriter::begin(char bracket) {
  separate();
  out_ += bracket;
  has_members_.push_back(false);
}

void JsonWriter::end(char bracket) {
  out_ += bracket;
  has_members_.pop_back();
}

void JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out_ += style_ == Style::spaced ? ": " : ":";
  after_key_ = true;
}

void JsonWriter::text(std::string_view value) {
  separate();
  quote(value);
}

void JsonWriter::integer(std::int64_t value) {
  separate();
  out_ += std::to_string(value);
}

void JsonWriter::thousandths(std::int64_t value) {
  std::array<char, 24> text;
  std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(value / 1000),
                static_cast<long long>(value % 1000));
  separate();
  out_ += text.data();
}

void JsonWriter::boolean(bool value) { raw(value ? "true" : "false"); }

void JsonWriter::null() { raw("null"); }

void JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
}

void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    const std::size_t plain = plain_length(value);
    out_ += value.substr(0, plain);
    value.remove_prefix(plain);
    if (value.empty()) break;
    append_escaped(value.front(), style_, out_);
    value.remove_prefix(1);
  }
  out_ += '"';
}

}  // namespace mercure::tags
