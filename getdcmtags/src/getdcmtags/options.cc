#include "getdcmtags/options.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <getopt.h>

#include <cstdio>

namespace mercure {
namespace {

constexpr const char* kHelp =
    "usage: getdcmtags [options] FILE...\n"
    "\n"
    "Prints the header of each DICOM file as one line of JSON, in the order of the files.\n"
    "\n"
    "  --files-from FILE  read the names of the files from FILE, one per line; - is standard input\n"
    "  -0, --null         the names end in NUL instead of a line break\n"
    "  --character-set TERMS\n"
    "                     what texts are in where a file names no character set, such as ISO_IR 100\n"
    "  --damaged-too      print what can be read of a damaged file, with what is wrong as \"Fault\"\n"
    "  --help             show this and exit\n"
    "  --version          show the version and exit\n"
    "\n"
    "exit codes:\n"
    "   0  every file was printed\n"
    "   1  the command line is wrong\n"
    "  20  a file could not be opened or read\n"
    "  21  a file is not DICOM, is damaged or ends inside the header\n"
    "  22  the list of files could not be read\n"
    "  40  standard output could not be written\n"
    "  80  out of memory\n"
    "A file that fails has one line on standard error; the others are printed all the same.\n";

Parsed wrong(const char* what) {
  std::fprintf(stderr, "getdcmtags: %s; see getdcmtags --help\n", what);
  return {std::nullopt, 1};
}

}  // namespace

Parsed parse_options(int argc, char** argv) {
  enum : int { kFilesFrom = 256, kCharacterSet, kDamagedToo, kHelpShown, kVersion };
  static constexpr option kLong[] = {
      {"files-from", required_argument, nullptr, kFilesFrom},
      {"character-set", required_argument, nullptr, kCharacterSet},
      {"damaged-too", no_argument, nullptr, kDamagedToo},
      {"null", no_argument, nullptr, '0'},
      {"help", no_argument, nullptr, kHelpShown},
      {"version", no_argument, nullptr, kVersion},
      {nullptr, 0, nullptr, 0},
  };
  Options options;
  for (int found; (found = getopt_long(argc, argv, "0", kLong, nullptr)) != -1;) {
    switch (found) {
      case kFilesFrom: options.files_from = optarg; break;
      case kCharacterSet: options.character_set = optarg; break;
      case kDamagedToo: options.damaged_too = true; break;
      case '0': options.null_separated = true; break;
      case kHelpShown: std::fputs(kHelp, stdout); return {std::nullopt, 0};
      case kVersion: std::puts("getdcmtags " MERCURE_VERSION " (DCMTK " OFFIS_DCMTK_VERSION_STRING ")"); return {std::nullopt, 0};
      default: return {std::nullopt, 1};
    }
  }
  options.files.assign(argv + optind, argv + argc);
  if (options.files.empty() && !options.files_from) return wrong("no file given");
  if (!options.files.empty() && options.files_from) return wrong("give files or --files-from, not both");
  if (options.null_separated && !options.files_from) return wrong("--null goes with --files-from");
  return {options, 0};
}

}  // namespace mercure
