// The log of the receiver: JSON lines on stderr. No patient data: UIDs and AE titles yes, names and patient ids never.
#ifndef MERCURE_RECEIVE_LOG_H
#define MERCURE_RECEIVE_LOG_H

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "json.h"

namespace mercure::receive::log {

enum class Level { debug, info, warning, error };

inline constexpr std::array<std::pair<std::string_view, Level>, 4> kLevels{
    {{"debug", Level::debug}, {"info", Level::info}, {"warning", Level::warning}, {"error", Level::error}}};

// Lines below this level are left out; `info` until it is set.
void set_level(Level level);

// Writes one line: time, level, service, pid, message and the fields, in one write() so that lines of several processes stay whole.
void write(Level level, std::string_view message, const Json& fields = Json::object());

inline void debug(std::string_view message, const Json& fields = Json::object()) { write(Level::debug, message, fields); }
inline void info(std::string_view message, const Json& fields = Json::object()) { write(Level::info, message, fields); }
inline void warning(std::string_view message, const Json& fields = Json::object()) { write(Level::warning, message, fields); }
inline void error(std::string_view message, const Json& fields = Json::object()) { write(Level::error, message, fields); }

}  // namespace mercure::receive::log

#endif
