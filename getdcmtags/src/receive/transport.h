// The TCP connection of one association as DCMTK sees it, with our time limits and without delayed acknowledgements.
#ifndef MERCURE_RECEIVE_TRANSPORT_H
#define MERCURE_RECEIVE_TRANSPORT_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include <cstdint>
#include <string>

#include "receive/patience.h"

namespace mercure::receive {

// DCMTK's own time limits count anew with each read, and it leaves Nagle's algorithm and delayed acknowledgement as they are: an
// untouched sender is then held to some 20 images a second. This connection reads without blocking and waits by its own clock.
class Transport : public DcmTCPConnection {
 public:
  // Takes over the connected socket. `patience` outlives this.
  Transport(int socket, Patience& patience);

  ssize_t read(void* buffer, size_t size) override;
  ssize_t write(void* buffer, size_t size) override;
  OFBool networkDataAvailable(int timeout) override;

  // From here to send_held() what is written is collected, so that a PDU leaves in one piece and wakes the peer once.
  void hold() { holding_ = true; }
  bool send_held();

  // Bytes read so far; 0 tells a probe of the port from a sender.
  std::uint64_t bytes_read() const { return bytes_read_; }

  // Tells whether a limit has passed, and remembers which. Called before each PDU, so that a peer that never lets us wait is held too.
  bool out_of_patience();

  // The limit that ended it; nothing when it ended otherwise.
  std::optional<Patience::Limit> expired() const { return expired_; }

  // The peer closed the connection, or the network lost it.
  bool is_lost() const { return lost_; }

  // Sends an A-ABORT (PS3.8 section 9.3.8) and no more after it.
  enum class AbortSource : std::uint8_t { user = 0, provider = 2 };
  void abort(AbortSource source, std::uint8_t reason);

  // Closes our side and gives the peer a moment to read what it was sent last: data that nobody read would make the kernel answer
  // with a reset, and the peer would lose our last words.
  void finish();

 private:
  bool wait(short events);
  bool send_all(const std::string& bytes);

  Patience& patience_;
  std::string held_;
  bool holding_ = false;
  bool lost_ = false;
  std::uint64_t bytes_read_ = 0;
  std::optional<Patience::Limit> expired_;
};

// Hands DCMTK the one connection of this process.
class TransportLayer : public DcmTransportLayer {
 public:
  explicit TransportLayer(Patience& patience) : patience_(patience) {}

  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) override;

  // The connection, owned by DCMTK's association; null before it is made.
  Transport* transport() const { return transport_; }

 private:
  Patience& patience_;
  Transport* transport_ = nullptr;
};

}  // namespace mercure::receive

#endif
