// The bytes of a connected peer, read and written without waiting.
//
// What lies between the socket and the PDUs goes here and nowhere else: TLS is one more Stream, which calls SSL_read and SSL_write
// where TcpStream calls recv(2) and sendmsg(2), and the header of the PROXY protocol is taken off by a Stream before its first read.
#ifndef MERCURE_DIMSE_STREAM_H
#define MERCURE_DIMSE_STREAM_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "descriptor.h"

namespace mercure::dimse {

class Stream {
 public:
  enum class State : std::uint8_t {
    moved,       // `count` bytes were read or written
    want_read,   // the socket must become readable first, also for a write: TLS may need it
    want_write,  // the socket must become writable first
    closed,      // the peer has closed its side
    failed,      // errno says why
  };
  struct Outcome {
    State state;
    std::size_t count = 0;
  };

  virtual ~Stream() = default;

  virtual Outcome read(char* into, std::size_t size) = 0;

  // Writes both parts one after the other, in one packet if they fit, so that a PDU wakes the peer once.
  virtual Outcome write(std::string_view first, std::string_view second) = 0;

  // Tells whether bytes can be read that poll(2) does not know of any more.
  virtual bool has_pending() const { return false; }

  // Closes our side for writing. False when the connection is gone.
  virtual bool end_writing() = 0;

  virtual int descriptor() const = 0;
};

class TcpStream final : public Stream {
 public:
  // Takes over the connected socket.
  explicit TcpStream(Descriptor socket);

  Outcome read(char* into, std::size_t size) override;
  Outcome write(std::string_view first, std::string_view second) override;
  bool end_writing() override;
  int descriptor() const override { return socket_.get(); }

 private:
  Descriptor socket_;
};

}  // namespace mercure::dimse

#endif
