// The messages of an open association: command sets and data sets, in fragments.
#ifndef MERCURE_DIMSE_MESSAGES_H
#define MERCURE_DIMSE_MESSAGES_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dimse/connection.h"
#include "dimse/pdus.h"

namespace mercure::dimse {

// Sources and reasons of an A-ABORT, PS3.8 table 9-26.
inline constexpr std::uint8_t kServiceUser = 0;
inline constexpr std::uint8_t kServiceProvider = 2;
inline constexpr std::uint8_t kReasonNotSpecified = 0;
inline constexpr std::uint8_t kUnexpectedParameter = 6;

// A command set takes some hundred bytes; what is longer is no command.
inline constexpr std::size_t kMaxCommandBytes = 64 << 10;

// How an association ended; `none`: it goes on.
enum class End : std::uint8_t {
  none,
  released,   // the peer asked for it
  aborted,    // by the peer
  lost,       // the connection was closed or broke
  timed_out,  // a limit of ours passed
  broken,     // the peer does not keep to the protocol
};

// One presentation data value (PS3.8 annex D.1); its bytes live until the next one is read.
struct Fragment {
  std::uint8_t context = 0;
  bool is_command = false;
  bool is_last = false;
  std::string_view bytes;
};

class Messages {
 public:
  // The sizes are those of the negotiation.
  Messages(Connection& connection, std::size_t our_max_pdu, std::size_t peer_max_pdu)
      : connection_(connection), reader_(connection, our_max_pdu), peer_max_pdu_(peer_max_pdu) {}

  // Waits for the next fragment.
  End next(Fragment& fragment);

  // Waits for a whole command set; `bytes` gets it.
  End next_command(std::uint8_t& context, std::string& bytes);

  // Waits for the next fragment of a data set on `context`.
  End next_of_data_set(std::uint8_t context, Fragment& fragment);

  // Reads past a data set, at most `limit` bytes of it (then `broken`).
  End skip_data_set(std::uint8_t context, std::uint64_t limit);

  // Tells whether something can be read within `most`, or the connection has ended.
  bool has_news(std::chrono::milliseconds most) const;

  // Sends a command set.
  End send(std::uint8_t context, std::string_view command);

  // The same for a command with a data set behind it: it leaves with the first fragment.
  void hold(std::uint8_t context, std::string_view command);

  // Sends a fragment of a data set, of an even size that the peer takes. Short ones are held.
  End send_fragment(std::uint8_t context, std::string_view bytes, bool is_last);

  // Sends the held bytes.
  End flush();

  // Asks the peer to release the association and waits for its answer.
  End release();

  // Says what the peer did wrong, after `broken`.
  const std::string& fault() const { return fault_; }

 private:
  End next_pdu(Pdu& pdu);
  End next_data_pdu();
  End broken(std::string fault);
  End unexpected(const Pdu& pdu);
  End end_of_connection() const { return connection_.is_timed_out() ? End::timed_out : End::lost; }

  Connection& connection_;
  PduReader reader_;
  std::size_t peer_max_pdu_;
  std::string_view values_;  // of the PDU at hand, not yet handed out
  std::string fault_;
};

}  // namespace mercure::dimse

#endif
