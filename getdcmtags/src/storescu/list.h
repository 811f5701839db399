// The list of files on standard input.
#ifndef MERCURE_STORESCU_LIST_H
#define MERCURE_STORESCU_LIST_H

#include <optional>
#include <string_view>
#include <vector>

#include "storescu/deadline.h"
#include "storescu/image.h"

namespace mercure::storescu {

// A line of the list: a name, or a name, a tab and the digest of its data set as a tag line has it.
Listed parse_line(std::string_view line);

// The files on `descriptor`, one per line; empty lines are passed over. Nothing when it could not be read to its end:
// an error, the limit, or a request to stop.
std::optional<std::vector<Listed>> read_list(int descriptor, Clock::time_point limit);

}  // namespace mercure::storescu

#endif
