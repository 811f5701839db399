// Protocol data units of an open association (PS3.8 section 9.3), read from and written to the connection without DCMTK.
//
// DCMTK negotiates the association; it does not read what follows, because DUL_NextPDV (3.6.7 to 3.6.9) loses its place in a PDU
// that holds three or more values: a data set would be stored with wrong bytes and acknowledged (docs/decisions/0017).
#ifndef MERCURE_RECEIVE_PDUS_H
#define MERCURE_RECEIVE_PDUS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "receive/connection.h"

namespace mercure::receive {

enum class PduType : std::uint8_t {
  associate_request = 1,
  associate_accept = 2,
  associate_reject = 3,
  data = 4,
  release_request = 5,
  release_response = 6,
  abort = 7,
};

struct Pdu {
  PduType type = PduType::abort;
  std::string_view body;  // lives until the next one is read
};

class PduReader {
 public:
  enum class Outcome { pdu, no_more, too_long };

  // `max_pdu` is what the peer was told in the negotiation: the longest body of a P-DATA PDU.
  PduReader(Connection& connection, std::size_t max_pdu);

  // Waits for the next whole PDU. `no_more`: the connection is at its end, the connection knows why.
  Outcome next(Pdu& pdu);

 private:
  bool fill(std::size_t wanted);

  Connection& connection_;
  std::size_t max_pdu_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what was read and not yet handed out
  std::size_t end_ = 0;
};

// The P-DATA PDUs of one command set, in pieces that a peer with this limit takes (0: no limit).
std::string data_pdus(std::uint8_t context, std::string_view command, std::size_t peer_max_pdu);

std::string release_response();

// `source` 0: service user, 2: service provider; `reason` as in PS3.8 table 9-26.
std::string abort_pdu(std::uint8_t source, std::uint8_t reason);

}  // namespace mercure::receive

#endif
