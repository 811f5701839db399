// What follows the header: the pixel data, and what is behind them. None of it is shown or kept in memory.
#ifndef MERCURE_TAGS_TAIL_H
#define MERCURE_TAGS_TAIL_H

#include <string>
#include <string_view>

#include "tags/byte_source.h"
#include "tags/element_reader.h"
#include "tags/pixels.h"
#include "tags/tag_record.h"

namespace mercure::tags {

struct Tail {
  std::string too_deep;  // why readers behind us would die of it: sequences nested without end
  std::string shortage;  // what is missing of the pixel data, or behind them; empty when they are whole
};

// Walks from where `source` is to its end.
Tail read_tail(ByteSource& source, Encoding encoding, const Limits& limits, const Pixels& pixels, std::string_view transfer_syntax);

}  // namespace mercure::tags

#endif
