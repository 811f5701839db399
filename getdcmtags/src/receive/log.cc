#include "receive/log.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "ids.h"

namespace mercure::receive::log {

namespace {

struct NamedLevel {
  std::string_view name;
  Level level;
};

constexpr NamedLevel kLevels[] = {
    {"debug", Level::debug}, {"info", Level::info}, {"warning", Level::warning}, {"error", Level::error}};

Level g_level = Level::info;  // of the process; a child of fork() inherits it

std::string_view name_of(Level level) {
  const auto* found =
      std::find_if(std::begin(kLevels), std::end(kLevels), [&](const NamedLevel& known) { return known.level == level; });
  return found->name;
}

}  // namespace

std::optional<Level> level_named(std::string_view name) {
  for (const NamedLevel& known : kLevels) {
    if (known.name == name) return known.level;
  }
  return std::nullopt;
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
  const std::string text = to_line(line) + '\n';
  // There is nowhere to tell that the log itself cannot be written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace mercure::receive::log
