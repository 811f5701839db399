// The messages of an open association: fragments in, responses out, over DCMTK's upper layer.
#ifndef MERCURE_RECEIVE_MESSAGES_H
#define MERCURE_RECEIVE_MESSAGES_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "receive/patience.h"
#include "receive/transport.h"

namespace mercure::receive {

// One presentation data value (PS3.8 annex D.1); its bytes live until the next one is read.
struct Fragment {
  std::uint8_t context = 0;
  bool is_command = false;
  bool is_last = false;
  std::string_view bytes;
};

class Messages {
 public:
  // What reading brought: a fragment, or the end of the association and its kind.
  enum class Event { fragment, released, aborted, lost, timed_out, broken };

  Messages(T_ASC_Association& association, Transport& transport, Patience& patience)
      : association_(association), transport_(transport), patience_(patience) {}

  // Waits for the next fragment. `broken`: the peer does not keep to the protocol; fault() says how.
  Event next(Fragment& fragment);

  // Waits for the rest of a command set whose fragments are all on one context; `bytes` gets the whole of it.
  Event next_command(std::uint8_t& context, std::string& bytes);

  // Waits for the next fragment of a data set on `context`.
  Event next_of_data_set(std::uint8_t context, Fragment& fragment);

  // Reads past a data set, at most `limit` bytes of it (then `broken`).
  Event skip_data_set(std::uint8_t context, std::uint64_t limit);

  // Sends a command set on its context. Returns Event::fragment when it left, else how the association ended.
  Event send(std::uint8_t context, const std::string& command);

  const std::string& fault() const { return fault_; }

 private:
  Event broken(std::string fault);
  Event end_of(const OFCondition& condition);

  T_ASC_Association& association_;
  Transport& transport_;
  Patience& patience_;
  std::string fault_;
};

}  // namespace mercure::receive

#endif
