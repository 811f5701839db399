// The start of a DICOM file (PS3.10 section 7): preamble, meta header, and how the data set after it is encoded.
#ifndef MERCURE_TAGS_FILE_START_H
#define MERCURE_TAGS_FILE_START_H

#include <cstdint>
#include <string>
#include <vector>

#include "tags/byte_source.h"
#include "tags/element_reader.h"

namespace mercure::tags {

struct MetaElement {
  Element element;
  std::string value;
};

struct FileStart {
  bool ok = false;
  Failure failure = Failure::none;
  std::string reason;
  std::vector<MetaElement> meta;  // group 0002 as sent
  std::string transfer_syntax;    // as named, or as found out from the bytes
  std::uint64_t data_set_offset = 0;  // bytes before the data set
  Foreign foreign;  // before the data set, or at its beginning
  bool ours = false;  // the receiver wrote the meta header
  bool deflated = false;
  Encoding encoding;
  std::vector<std::string> problems;
};

// Reads up to the first byte of the data set. Lenient: preamble, meta header and a right group length may all be
// missing, and a data set that is not encoded as the meta header says is read as what it is.
FileStart read_file_start(FileSource& source, const Limits& limits);

// Moves past what some senders put before their data set and what says nothing there: a meta header, a command, a directory, the
// preamble of a file. `start` gets their groups, or the failure where they make no sense.
void pass_over_foreign(ByteSource& source, Encoding encoding, const Limits& limits, FileStart& start);

// For a data set that had to be inflated first: its encoding as `start` says, corrected by its first element.
Encoding probe_encoding(ByteSource& data_set, Encoding promised, std::vector<std::string>& problems);

// A UID without its padding.
std::string trimmed_uid(std::string_view value);

}  // namespace mercure::tags

#endif
