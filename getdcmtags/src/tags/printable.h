// Texts as they may stand on a terminal or in a log.
#ifndef MERCURE_TAGS_PRINTABLE_H
#define MERCURE_TAGS_PRINTABLE_H

#include <string>
#include <string_view>

namespace mercure::tags {

// A text, or a line of JSON, in valid UTF-8, in which nothing is left that a terminal obeys: escapes as of JSON say the same.
std::string printable(std::string_view text);

}  // namespace mercure::tags

#endif
