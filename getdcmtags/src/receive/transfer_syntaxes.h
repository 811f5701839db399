// Which of the transfer syntaxes that a sender proposes for one presentation context is accepted.
#ifndef MERCURE_RECEIVE_TRANSFER_SYNTAXES_H
#define MERCURE_RECEIVE_TRANSFER_SYNTAXES_H

#include <string>
#include <vector>

namespace mercure::receive {

// The one in which the sender most likely holds the data, so that nobody re-codes it: a compressed one of the
// standard, else an uncompressed one, else whatever it is; within a group the sender's order decides. `proposed` is not empty.
// Not simply the first: many libraries list the defaults first, and would decompress. Private ones last: nobody behind us reads
// them.
const std::string& preferred_transfer_syntax(const std::vector<std::string>& proposed);

// The same where no compression is wanted: Explicit or Implicit VR Little Endian, else another uncompressed one, else as above.
const std::string& uncompressed_transfer_syntax(const std::vector<std::string>& proposed);

bool has_compressed(const std::vector<std::string>& proposed);
bool has_uncompressed(const std::vector<std::string>& proposed);

}  // namespace mercure::receive

#endif
