#include "tags/transcoder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace mercure::tags {
namespace {

const auto kNoConverter = reinterpret_cast<iconv_t>(-1);

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}

// How many bytes from `at` on are ASCII. Eight at a time: most of what an image says is nothing else.
std::size_t ascii_length(std::string_view bytes, std::size_t at) {
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  std::size_t end = at;
  for (std::uint64_t eight = 0; bytes.size() - end >= sizeof eight; end += sizeof eight) {
    std::memcpy(&eight, bytes.data() + end, sizeof eight);
    if ((eight & kHigh) != 0) break;
  }
  while (end < bytes.size() && static_cast<std::uint8_t>(bytes[end]) < 0x80) ++end;
  return end - at;
}

bool continues(std::uint8_t byte) { return (byte & 0xC0) == 0x80; }

// How many bytes from `at` on are ASCII, or make one character by the Unicode standard's table 3-7; 0 if they do neither.
std::size_t utf8_length(std::string_view bytes, std::size_t at) {
  if (const std::size_t ascii = ascii_length(bytes, at); ascii > 0) return ascii;
  const std::uint8_t first = byte_at(bytes, at);
  const std::uint8_t second = byte_at(bytes, at + 1);
  if (first >= 0xC2 && first <= 0xDF) return continues(second) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return continues(second) && !overlong && !surrogate && continues(byte_at(bytes, at + 2)) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool beyond = first == 0xF4 && second > 0x8F;
    const bool rest = continues(byte_at(bytes, at + 2)) && continues(byte_at(bytes, at + 3));
    return continues(second) && !overlong && !beyond && rest ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool append_utf8(std::string_view bytes, std::string& out) {
  bool faithful = true;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8_length(bytes, at);
    if (length == 0) {
      out += kReplacement;
      faithful = false;
      ++at;
    } else {
      out += bytes.substr(at, length);
      at += length;
    }
  }
  return faithful;
}

std::string utf8(std::string_view bytes) {
  std::string text;
  append_utf8(bytes, text);
  return text;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8_length(bytes, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

Transcoders::~Transcoders() {
  for (const auto& [encoding, converter] : converters_) {
    if (converter != kNoConverter) iconv_close(converter);
  }
}

iconv_t Transcoders::converter(const char* encoding) {
  const auto found = converters_.find(encoding);
  if (found != converters_.end()) return found->second;
  return converters_.emplace(encoding, iconv_open("UTF-8", encoding)).first->second;
}

bool Transcoders::append(const char* encoding, std::string_view bytes, std::size_t unit, std::string& out) {
  iconv_t convert = converter(encoding);
  bool faithful = true;
  auto* in = const_cast<char*>(bytes.data());  // iconv's signature; it does not write there
  std::size_t left = bytes.size();
  std::array<char, 1024> piece;
  while (left > 0) {
    char* made = piece.data();
    std::size_t room = piece.size();
    errno = EILSEQ;
    const std::size_t state = convert == kNoConverter ? std::size_t(-1) : iconv(convert, &in, &left, &made, &room);
    const int error = errno;
    out.append(piece.data(), piece.size() - room);
    if (state != std::size_t(-1) || error == E2BIG) continue;
    if (convert != kNoConverter) iconv(convert, nullptr, nullptr, nullptr, nullptr);  // back to its first state
    out += kReplacement;
    faithful = false;
    const std::size_t lost = std::min(unit, left);
    in += lost;
    left -= lost;
  }
  return faithful;
}

}  // namespace mercure::tags
