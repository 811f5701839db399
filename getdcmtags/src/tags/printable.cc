#include "tags/printable.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <utility>

namespace mercure::tags {
namespace {

// What a terminal obeys, or what turns or hides the text around it: C0, DEL, C1, format characters,
// separators of lines. AE titles and paths come from outside, and a log is read with `cat`.
struct Range {
  char32_t first;
  char32_t last;
};
constexpr Range kObeyed[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x600, 0x605},   {0x61C, 0x61C},   {0x6DD, 0x6DD}, {0x70F, 0x70F},   {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                             {0xE000, 0xF8FF}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};

// The code point at the start of valid UTF-8, and how many bytes it takes.
std::pair<char32_t, std::size_t> code_point(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code = size == 1 ? lead : lead & (0x7Fu >> size);
  for (std::size_t at = 1; at < size && at < text.size(); ++at) code = code << 6 | (static_cast<unsigned char>(text[at]) & 0x3Fu);
  return {code, std::min(size, text.size())};
}

void append_escape(std::string& out, char32_t code) {
  std::array<char, 16> text{};
  if (code > 0xFFFF) {
    code -= 0x10000;
    append_escape(out, 0xD800 + (code >> 10));
    code = 0xDC00 + (code & 0x3FF);
  }
  std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(code));
  out += text.data();
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, size] = code_point(text);
    const bool obeyed = std::any_of(std::begin(kObeyed), std::end(kObeyed), [code = code](const Range& range) { return code >= range.first && code <= range.last; });
    if (obeyed) {
      append_escape(out, code);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace mercure::tags
