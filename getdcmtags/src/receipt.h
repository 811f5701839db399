// The receipt in the meta header of an image (docs/reference/spool.md, "The meta header"): where its digests are, and whether
// the header is as it was written. The Python twin, which also reads who sent the image, is mercure/dicom/receipt.py.
#ifndef MERCURE_RECEIPT_H
#define MERCURE_RECEIPT_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mercure {

// This program, as it names itself in files and associations. The UID is derived from a UUID (PS3.5 annex B.2).
inline constexpr char kImplementationClassUid[] = "2.25.140604012194056817564743319889658665803";
inline constexpr char kImplementationVersion[] = "MERCURE_0_1";

namespace receipt {

// Before the digits of a digest in a tag line.
inline constexpr std::string_view kDigestPrefix = "xxh3-128:";

// The last members of the JSON, with zeros for digits that are not known yet.
std::string last_members(std::string_view data_digest);

// Fills the header's own digest in. `header` is preamble, prefix and group 0002 and holds last_members().
void seal(std::string& header);

// Fills in what is known when the data set has ended, and seals. `received` is as long as what the header has of it.
void complete(std::string& header, std::string_view received, std::string_view data_digest);

enum class State : std::uint8_t {
  none,     // the file was written without
  sound,    // the header is as it was written
  altered,  // there was a receipt, and the header is not as it was written
  unreadable,
};

struct Found {
  State state = State::none;
  int error = 0;                // when unreadable: of the system
  std::string data_digest;      // when sound
  std::size_t header_size = 0;  // when sound: where the data set begins
  std::string origin;           // when sound: address and both AE titles, to be compared and no more
};

// Looks at the start of an open file. The meta header is believed as far as its group length says and no further: what
// follows is a data set, and came from the network.
Found read(int file);

}  // namespace receipt
}  // namespace mercure

#endif
