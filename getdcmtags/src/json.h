// JSON as the C++ part writes it: one line, UTF-8, whatever the bytes were.
#ifndef MERCURE_JSON_H
#define MERCURE_JSON_H

#include <nlohmann/json.hpp>
#include <string>

namespace mercure {

using Json = nlohmann::ordered_json;

// One line without its newline. Bytes that are no UTF-8 (an AE title may hold any) become U+FFFD: an event must not fail for them.
inline std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mercure

#endif
