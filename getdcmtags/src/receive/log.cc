#include "receive/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <utility>

#include "ids.h"

namespace mercure::receive::log {

namespace {

Level g_level = Level::info;  // of the process; a child of fork() inherits it

// What a terminal obeys, or what turns or hides the text around it: DEL, C1, format characters, separators of lines. JSON itself
// escapes C0. AE titles come from the network, and a log is read with `cat`.
struct Range {
  char32_t first;
  char32_t last;
};
constexpr Range kObeyed[] = {{0x7F, 0x9F},     {0xAD, 0xAD},     {0x600, 0x605},   {0x61C, 0x61C},   {0x6DD, 0x6DD},
                             {0x70F, 0x70F},   {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
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

std::string_view name_of(Level level) { return kLevels[static_cast<std::size_t>(level)].first; }

}  // namespace

std::string shown(std::string_view json) {
  std::string out;
  while (!json.empty()) {
    const auto [code, size] = code_point(json);
    const bool obeyed = std::any_of(std::begin(kObeyed), std::end(kObeyed), [code = code](const Range& range) { return code >= range.first && code <= range.last; });
    if (obeyed) {
      append_escape(out, code);
    } else {
      out += json.substr(0, size);
    }
    json.remove_prefix(size);
  }
  return out;
}

void set_level(Level level) { g_level = level; }

void write(Level level, std::string_view message, const Json& fields) {
  if (level < g_level) return;
  Json line = {{"time", Instant::now().text()},
               {"level", name_of(level)},
               {"service", "receiver"},
               {"pid", getpid()},
               {"message", message}};
  line.update(fields);
  const std::string text = shown(to_line(line)) + '\n';
  // There is nowhere to tell that the log itself cannot be written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace mercure::receive::log
