// The bytes of a connected peer, read and written without waiting.
//
// What lies between the socket and the PDUs goes here and nowhere else. One stream stands on another: TLS (tls.h) on that of the
// socket. The header of a proxy (receive/proxy_header.h) has been read before: it decides whether there is a place.
#ifndef MERCURE_DIMSE_STREAM_H
#define MERCURE_DIMSE_STREAM_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
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

  // Says what must be said before the first byte of the caller: a handshake. `moved`: it is done.
  virtual State open() { return State::moved; }

  virtual Outcome read(char* into, std::size_t size) = 0;

  // Writes both parts one after the other, in one packet if they fit, so that a PDU wakes the peer once.
  virtual Outcome write(std::string_view first, std::string_view second) = 0;

  // Tells whether bytes can be read that poll(2) does not know of any more.
  virtual bool has_pending() { return false; }

  // Asked when poll(2) found the socket readable: whether a read would give bytes, or tell of an end. What came may be for this
  // stream alone.
  virtual bool has_news() { return true; }

  // Closes our side for writing. False when the connection is gone.
  virtual bool end_writing() = 0;

  virtual int descriptor() const = 0;

  // What went wrong, in words and with what to do, where the stream knows more than errno.
  virtual const std::string& fault() const {
    static const std::string nothing;
    return nothing;
  }

  // The first byte that came over the network: by it one protocol is told from another.
  virtual std::optional<unsigned char> first_byte() const = 0;
};

class TcpStream final : public Stream {
 public:
  // Takes over the connected socket.
  explicit TcpStream(Descriptor socket);

  Outcome read(char* into, std::size_t size) override;
  Outcome write(std::string_view first, std::string_view second) override;
  bool end_writing() override;
  int descriptor() const override { return socket_.get(); }
  std::optional<unsigned char> first_byte() const override { return first_byte_; }

 private:
  Descriptor socket_;
  std::optional<unsigned char> first_byte_;
};

}  // namespace mercure::dimse

#endif
