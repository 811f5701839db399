// Protocol data units of an open association (PS3.8 section 9.3), read and written without DCMTK.
//
// DCMTK negotiates the association. It does not read what follows, because DUL_NextPDV (3.6.7 to 3.6.9) loses its place in a PDU
// that holds three or more values: a data set would be stored with wrong bytes and acknowledged (docs/decisions/0017). It does not
// write either: it sends the header of each PDU apart.
#ifndef MERCURE_DIMSE_PDUS_H
#define MERCURE_DIMSE_PDUS_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "dimse/connection.h"

namespace mercure::dimse {

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

  // `max_pdu` is the longest body of a P-DATA PDU, as negotiated.
  PduReader(Connection& connection, std::size_t max_pdu);

  // Waits for the next whole PDU. `no_more`: the connection has ended and knows why.
  Outcome next(Pdu& pdu);

  // Tells whether bytes of the next PDU were read together with the last one.
  bool has_more() const { return end_ > begin_; }

 private:
  bool fill(std::size_t wanted);

  Connection& connection_;
  std::size_t max_pdu_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // of what was read and not yet handed out
  std::size_t end_ = 0;
};

// What goes before the `size` bytes of a P-DATA PDU that holds one fragment.
std::string data_pdu_header(std::uint8_t context, bool is_command, bool is_last, std::size_t size);

// The P-DATA PDUs of one command set, in pieces that a peer with this limit takes (0: no limit).
std::string data_pdus(std::uint8_t context, std::string_view command, std::size_t peer_max_pdu);

std::string release_request();
std::string release_response();

// `source` 0: service user, 2: service provider; `reason` as in PS3.8 table 9-26.
std::string abort_pdu(std::uint8_t source, std::uint8_t reason);

}  // namespace mercure::dimse

#endif
