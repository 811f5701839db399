// The tag record: one DICOM file's header as one line of JSON (docs/reference/tag-record.md).
//
//   const auto result = mercure::tags::read_file(path, {{"FileName", "1.2.3.dcm"}, {"FileSize", 1234}});
//   if (result.ok) append(result.json); else quarantine(result.reason);
//
// Reading never throws, never recurses, and takes bounded time and memory whatever the bytes are. Bulk values and
// everything from group 7FE0 on are skipped, not read. The library holds no state: any thread, any fork.
#ifndef MERCURE_TAGS_TAG_RECORD_H
#define MERCURE_TAGS_TAG_RECORD_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace mercure::tags {

// What identifies an image and where its data set begins. Texts are UTF-8 as in the record, empty where missing. SOP
// class and instance are the data set's; the meta header's where the data set has none.
struct Header {
  std::string sop_class;
  std::string sop_instance;
  std::string study;
  std::string series;
  std::string patient_id;
  std::string accession;
  std::string modality;
  std::string transfer_syntax;        // as named by the meta header; without one, what the bytes were read as
  std::uint64_t data_set_offset = 0;  // bytes before the data set (preamble and meta header)
};

// A member that the caller adds at the end of the record, such as SenderAddress or FileSize.
struct Extra {
  std::string key;
  std::variant<std::string, std::int64_t> value;
};

// What one file may cost. A header that passes a limit before the end of group 0020 (patient, study, series and
// image are named by then) is refused; after it, the record is cut there and says so in DecodingProblems.
struct Limits {
  std::uint64_t header_bytes = 64ULL << 20;     // bytes read, skipped values not counted
  std::uint64_t inflated_bytes = 512ULL << 20;  // bytes that a deflated data set may grow to, skipped ones counted
  std::uint64_t elements = 2'000'000;           // elements and sequence items
  std::uint32_t nesting = 1'000;                // sequences within sequences; deeper is always refused
  std::uint32_t record_nesting = 64;            // deeper sequences are read past and shown as []
  std::size_t text_bytes = 65'536;              // longer texts are cut
  std::size_t binary_bytes = 1'024;             // longer binary values are left out
  std::size_t binary_numbers = 1'024;           // longer lists of binary numbers are left out
  std::size_t record_bytes = 4ULL << 20;        // longer records are cut
};

// Bytes from `begin` up to `end`.
struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

struct Result {
  bool ok = false;
  std::string reason;  // why not, for a person; empty when ok
  std::string shortage;  // what is missing of the pixel data, though the image can be named; empty when they are whole
  Header header;       // what was read before a failure is there too
  std::vector<Range> foreign;  // bytes of the file that belong into no data set (PS3.5 section 7.1): where they can be left out
  std::string json;    // one line without its newline; unless ok, only what was read before the failure, if anything
};

// `character_set` is assumed where the data set names none: terms of (0008,0005), separated by backslashes; empty: none is.
Result read_file(const std::string& path, const std::vector<Extra>& extras = {}, const Limits& limits = {},
                 const std::string& character_set = {});

// The same for an open file, from its beginning; the descriptor stays open and its position is not used.
Result read_descriptor(int descriptor, const std::vector<Extra>& extras = {}, const Limits& limits = {},
                       const std::string& character_set = {});

// For a sender: only as far as SOP class and instance, without a record.
Result read_sop(const std::string& path, const Limits& limits = {});

}  // namespace mercure::tags

#endif
