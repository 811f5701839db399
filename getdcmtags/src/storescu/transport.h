// The TCP connection of one association as DCMTK sees it: with our time limits, without delays, in whole PDUs.
#ifndef MERCURE_STORESCU_TRANSPORT_H
#define MERCURE_STORESCU_TRANSPORT_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include <optional>
#include <string>
#include <string_view>

#include "storescu/deadline.h"

namespace mercure::storescu {

// What is known of a connection also after DCMTK has deleted it.
struct ConnectionState {
  bool connected = false;
  bool lost = false;  // closed by the target, or by the network
  std::optional<Deadline::Expiry> expiry;
};

// DCMTK's time limits count anew with each read, and its sockets keep Nagle's algorithm and delayed acknowledgements
// (LESSONS 42). Here every wait ends at one deadline.
class Transport : public DcmTCPConnection {
 public:
  // Takes over the socket. Deadline and state outlive this.
  Transport(int socket, Deadline& deadline, ConnectionState& state);

  ssize_t read(void* buffer, size_t size) override;
  ssize_t write(void* buffer, size_t size) override;
  OFBool networkDataAvailable(int timeout) override;

  // From here to uncork() short writes wait for the next long one: DCMTK writes the header of each PDU apart.
  void cork() { corked_ = true; }
  bool uncork();

  // Sends what is held back; whether something can be read within `most`, or the connection has ended.
  bool flush();
  bool has_news(Seconds most);

  // Each sending of something begins a new step of this length: a long image on a slow line is no time-out.
  void allow_per_progress(Seconds most) { per_progress_ = most; }

 private:
  bool send_both(std::string_view first, std::string_view second);
  bool wait(short events);

  Deadline& deadline_;
  ConnectionState& state_;
  std::string held_;
  bool corked_ = false;
  std::optional<Seconds> per_progress_;
};

// Makes a Transport of each connection that DCMTK opens.
class TransportLayer : public DcmTransportLayer {
 public:
  TransportLayer(Deadline& deadline, ConnectionState& state, Seconds acse_timeout)
      : deadline_(deadline), state_(state), acse_timeout_(acse_timeout) {}

  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) override;

  // The connection of the association under way, owned by DCMTK.
  Transport* transport() const { return transport_; }
  void forget() { transport_ = nullptr; }

 private:
  Deadline& deadline_;
  ConnectionState& state_;
  Seconds acse_timeout_;
  Transport* transport_ = nullptr;
};

}  // namespace mercure::storescu

#endif
