// The list of files on standard input.
#ifndef MERCURE_STORESCU_LIST_H
#define MERCURE_STORESCU_LIST_H

#include <optional>
#include <string>
#include <vector>

#include "storescu/deadline.h"

namespace mercure::storescu {

// The names on `descriptor`, one per line; empty lines are passed over. Nothing when it could not be read to its end:
// an error, the limit, or being told to stop.
std::optional<std::vector<std::string>> read_list(int descriptor, Clock::time_point limit);

}  // namespace mercure::storescu

#endif
