// getdcmtags: DICOM files in, one tag record per line out.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <new>
#include <string>
#include <utility>

#include "getdcmtags/options.h"
#include "tags/printable.h"
#include "tags/tag_record.h"
#include "tags/transcoder.h"

namespace {

enum ExitCode : int { kDone = 0, kUnopened = 20, kUnreadable = 21, kNoList = 22, kNoOutput = 40, kNoMemory = 80 };

// A name from outside, on one line and without anything that a terminal obeys.
std::string shown(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      safe += c;
      continue;
    }
    std::array<char, 5> escaped;
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(byte));
    safe += escaped.data();
  }
  std::string valid;
  mercure::tags::append_utf8(safe, valid);
  return mercure::tags::printable(valid);
}

class Run {
 public:
  Run(std::string character_set, bool damaged_too) : character_set_(std::move(character_set)), damaged_too_(damaged_too) {}

  // False when going on makes no sense.
  bool print(const std::string& path) {
    struct stat status {};
    const bool found = stat(path.c_str(), &status) == 0;
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto result = mercure::tags::read_file(path, {{"FileName", name}, {"FileSize", std::int64_t{status.st_size}}}, {}, character_set_);
    if (!result.ok) {
      std::fprintf(stderr, "getdcmtags: %s: %s\n", shown(path).c_str(), result.reason.c_str());
      exit_code_ = std::max<int>(exit_code_, found && S_ISREG(status.st_mode) ? kUnreadable : kUnopened);
      if (!damaged_too_ || result.json.empty()) return true;
    }
    // Flushed line by line: who feeds names through a pipe waits for the answer to each.
    if (std::puts(result.json.c_str()) >= 0 && std::fflush(stdout) == 0) return true;
    std::fprintf(stderr, "getdcmtags: standard output: %s\n", std::strerror(errno));
    exit_code_ = kNoOutput;
    return false;
  }

  void print_listed(std::istream& list, char separator) {
    for (std::string path; std::getline(list, path, separator);) {
      if (!path.empty() && !print(path)) return;
    }
    if (list.bad()) fail_list("it could not be read");
  }

  void fail_list(const char* why) {
    std::fprintf(stderr, "getdcmtags: the list of files: %s\n", why);
    exit_code_ = kNoList;
  }

  int exit_code() const { return exit_code_; }

 private:
  std::string character_set_;
  bool damaged_too_;
  int exit_code_ = kDone;
};

int run(const mercure::Options& options) {
  Run run(options.character_set, options.damaged_too);
  const char separator = options.null_separated ? '\0' : '\n';
  if (!options.files_from) {
    for (const auto& path : options.files) {
      if (!run.print(path)) break;
    }
  } else if (*options.files_from == "-") {
    run.print_listed(std::cin, separator);
  } else if (std::ifstream list(*options.files_from); list) {
    run.print_listed(list, separator);
  } else {
    run.fail_list(std::strerror(errno));
  }
  return run.exit_code();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto parsed = mercure::parse_options(argc, argv);
    return parsed.options ? run(*parsed.options) : parsed.exit_code;
  } catch (const std::bad_alloc&) {
    std::fputs("getdcmtags: out of memory\n", stderr);
    return kNoMemory;
  }
}
