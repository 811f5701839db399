#include "tags/values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>

#include "tags/byte_order.h"
#include "tags/dictionary.h"
#include "tags/element_reader.h"

namespace mercure::tags {
namespace {

constexpr std::string_view kPadding(" \0", 2);

std::string_view without_end_padding(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kPadding) + 1);
}

std::string_view without_padding(std::string_view text, const VrTraits& vr) {
  text = without_end_padding(text);
  if (!vr.keep_leading_spaces) text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// NUL inside a text ends it in C, and PostgreSQL cannot store it.
std::string without_nul(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return std::string(text);
  std::string clean;
  for (const char c : text) {
    if (c == '\0') {
      clean += kReplacement;
    } else {
      clean += c;
    }
  }
  return clean;
}

std::vector<std::string> split(std::string_view text, const VrTraits& vr) {
  std::vector<std::string> values;
  while (true) {
    const std::size_t end = vr.one_value ? std::string_view::npos : text.find('\\');
    values.push_back(without_nul(without_padding(text.substr(0, end), vr)));
    if (end == std::string_view::npos) return values;
    text.remove_prefix(end + 1);
  }
}

bool has_high(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

// A control character other than white space: C0, DEL, and C1, whose UTF-8 is C2 80 to C2 9F.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool white = byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r';
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if ((byte < 0x20 && !white) || byte == 0x7F || c1) return true;
  }
  return false;
}

template <typename Number>
std::string shortest(Number number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

std::string number_text(const std::uint8_t* bytes, Vr vr, bool big) {
  switch (vr) {
    case Vr::SS: return shortest(static_cast<std::int16_t>(number_at<std::uint16_t>(bytes, big)));
    case Vr::UL: return shortest(number_at<std::uint32_t>(bytes, big));
    case Vr::SL: return shortest(static_cast<std::int32_t>(number_at<std::uint32_t>(bytes, big)));
    case Vr::FL: return shortest(std::bit_cast<float>(number_at<std::uint32_t>(bytes, big)));
    case Vr::FD: return shortest(std::bit_cast<double>(number_at<std::uint64_t>(bytes, big)));
    case Vr::UV: return shortest(number_at<std::uint64_t>(bytes, big));
    case Vr::SV: return shortest(static_cast<std::int64_t>(number_at<std::uint64_t>(bytes, big)));
    case Vr::AT: return spelled({number_at<std::uint16_t>(bytes, big), number_at<std::uint16_t>(bytes + 2, big)});
    default: return shortest(number_at<std::uint16_t>(bytes, big));
  }
}

}  // namespace

Texts texts_of(std::string_view bytes, Vr vr, bool cut, const CharacterSet& charset, Transcoders& transcoders) {
  const VrTraits& rules = traits(vr);
  Decoded decoded = charset.decode(without_end_padding(bytes), vr == Vr::PN, transcoders);
  if (cut && decoded.text.ends_with(kReplacement)) {
    decoded.text.resize(decoded.text.size() - kReplacement.size());
    if (decoded.text.find(kReplacement) == std::string::npos) decoded.problem.clear();
  }
  Texts texts{split(decoded.text, rules), std::move(decoded.problem)};
  if (decoded.text.find('\0') != std::string::npos) texts.problem = "holds NUL";
  if (texts.problem.empty() && !rules.charset && has_high(decoded.text)) {
    texts.problem = "only ASCII is allowed in " + std::string(rules.name);
  }
  return texts;
}

Texts numbers_of(std::string_view bytes, Vr vr, bool big_endian) {
  const std::size_t width = traits(vr).width;
  Texts texts;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width) {
    texts.values.push_back(number_text(reinterpret_cast<const std::uint8_t*>(bytes.data()) + at, vr, big_endian));
  }
  if (bytes.size() % width != 0) {
    texts.problem = std::to_string(bytes.size()) + " bytes are no whole number of " + std::string(traits(vr).name);
  }
  if (texts.values.empty()) texts.values.emplace_back();
  return texts;
}

bool is_text(std::string_view bytes, const Texts& texts) {
  const auto is_of_uid = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  const bool nul = bytes.find('\0') != std::string_view::npos;
  const std::string_view uid = bytes.substr(0, bytes.size() - (bytes.empty() ? 0 : 1));
  const bool padded_uid = nul && bytes.back() == '\0' && uid.find('.') != std::string_view::npos && std::all_of(uid.begin(), uid.end(), is_of_uid);
  if (!texts.problem.empty() || (nul && !padded_uid)) return false;
  return std::none_of(texts.values.begin(), texts.values.end(), has_control);
}

std::string base64_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) bits = (bits << 8) | (i < group.size() ? static_cast<std::uint8_t>(group[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= group.size() ? kDigits[(bits >> (18 - 6 * i)) & 63] : '=';
  }
  return text;
}

}  // namespace mercure::tags
