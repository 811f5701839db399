// The messages of an open association: fragments in, responses out.
#ifndef MERCURE_RECEIVE_MESSAGES_H
#define MERCURE_RECEIVE_MESSAGES_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "receive/deadlines.h"
#include "receive/pdus.h"
#include "receive/connection.h"

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

  // The sizes are those of the negotiation.
  Messages(Connection& connection, Deadlines& deadlines, std::size_t our_max_pdu, std::size_t peer_max_pdu)
      : connection_(connection), deadlines_(deadlines), reader_(connection, our_max_pdu), peer_max_pdu_(peer_max_pdu) {}

  // Waits for the next fragment. `broken`: the peer does not keep to the protocol; fault() says how.
  Event next(Fragment& fragment);

  // Waits for a whole command set; `bytes` gets it.
  Event next_command(std::uint8_t& context, std::string& bytes);

  // Waits for the next fragment of a data set on `context`.
  Event next_of_data_set(std::uint8_t context, Fragment& fragment);

  // Reads past a data set, at most `limit` bytes of it (then `broken`).
  Event skip_data_set(std::uint8_t context, std::uint64_t limit);

  // Sends a command set on its context. Returns Event::fragment when it left, else how the association ended.
  Event send(std::uint8_t context, std::string_view command);

  const std::string& fault() const { return fault_; }

 private:
  Event next_data_pdu();
  Event broken(std::string fault);
  Event end_of_connection() const;

  Connection& connection_;
  Deadlines& deadlines_;
  PduReader reader_;
  std::size_t peer_max_pdu_;
  std::string_view values_;  // of the PDU at hand, not yet handed out
  std::string fault_;
};

}  // namespace mercure::receive

#endif
