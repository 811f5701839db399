// The command line of getdcmtags (docs/reference/getdcmtags.1.md).
#ifndef MERCURE_GETDCMTAGS_OPTIONS_H
#define MERCURE_GETDCMTAGS_OPTIONS_H

#include <optional>
#include <string>
#include <vector>

namespace mercure {

struct Options {
  std::vector<std::string> files;
  std::optional<std::string> files_from;  // "-" is standard input
  bool null_separated = false;
  std::string character_set;
  bool damaged_too = false;
};

struct Parsed {
  std::optional<Options> options;  // absent: there is nothing more to do
  int exit_code = 0;
};

// Prints help, version or what is wrong itself.
Parsed parse_options(int argc, char** argv);

}  // namespace mercure

#endif
