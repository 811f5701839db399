#include "tags/json_writer.h"

#include <array>
#include <cstdio>

namespace mercure::tags {

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_members_.empty()) return;
  if (has_members_.back()) out_ += ", ";
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
  out_ += ": ";
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

void JsonWriter::null() {
  separate();
  out_ += "null";
}

// Only what JSON demands is escaped (RFC 8259 section 7).
void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 7> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
      out_ += escaped.data();
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

}  // namespace mercure::tags
