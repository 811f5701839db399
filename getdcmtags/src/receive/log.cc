#include "receive/log.h"

#include <unistd.h>

#include "ids.h"
#include "tags/printable.h"

namespace mercure::receive::log {

namespace {

Level g_level = Level::info;  // of the process; a child of fork() inherits it

std::string_view name_of(Level level) { return kLevels[static_cast<std::size_t>(level)].first; }

}  // namespace

void set_level(Level level) { g_level = level; }

void write(Level level, std::string_view message, const Json& fields) {
  if (level < g_level) return;
  Json line = {{"time", Instant::now().text()},
               {"level", name_of(level)},
               {"service", "receiver"},
               {"pid", getpid()},
               {"message", message}};
  line.update(fields);
  const std::string text = tags::printable(to_line(line)) + '\n';
  // There is no place to report that the log itself cannot be written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace mercure::receive::log
