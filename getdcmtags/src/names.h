// Text from the network as a file name (docs/reference/spool.md, "Names"). The Python twin is mercure/names.py.
#ifndef MERCURE_NAMES_H
#define MERCURE_NAMES_H

#include <string>
#include <string_view>

namespace mercure {

// A UID as a file name: a valid one as it is, any other text as `x` and 40 hexadecimal digits of its SHA-256. The name has
// no separator, never begins with a dot and is never one of ours. `uid` is not empty: the caller knows what to use instead.
std::string safe_name(std::string_view uid);

}  // namespace mercure

#endif
