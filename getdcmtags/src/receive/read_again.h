// Reads an object of `quarantine/` again, as after an upgrade: what can be read now goes on as an image that came
// (docs/reference/spool.md, "Quarantine").
#ifndef MERCURE_RECEIVE_READ_AGAIN_H
#define MERCURE_RECEIVE_READ_AGAIN_H

#include <string>

#include "receive/config.h"

namespace mercure::receive {

// Returns what became of it as one line of JSON: `read`; then `folder`, `file` and `repetition`, or `reason`. The entry itself stays. Throws
// std::exception when it is not there, or the disk refuses.
std::string read_again(const Config& config, const std::string& entry);

}  // namespace mercure::receive

#endif
