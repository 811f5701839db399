// What is needed of DCMTK, which negotiates associations and does nothing else here: a Connection in the form of its transport.
#ifndef MERCURE_DIMSE_DCMTK_H
#define MERCURE_DIMSE_DCMTK_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "dimse/connection.h"

namespace mercure::dimse {

// DCMTK deletes it when it thinks that the connection is over. The Connection behind it stays open for our last words.
class Transport : public DcmTransportConnection {
 public:
  explicit Transport(Connection& connection) : DcmTransportConnection(connection.descriptor()), connection_(connection) {}

  ssize_t read(void* buffer, size_t size) override { return connection_.read(buffer, size); }
  ssize_t write(void* buffer, size_t size) override;
  OFBool networkDataAvailable(int timeout) override;
  void close() override {}
  void closeTransportConnection() override {}
  OFBool isTransparentConnection() override { return OFTrue; }
  OFString& dumpConnectionParameters(OFString& text) override;

  // TLS is not DCMTK's: it is a Stream, which says here what it has to say first.
  OFCondition serverSideHandshake() override { return open(); }
  OFCondition clientSideHandshake() override { return open(); }
  OFCondition renegotiate(const char*) override { return EC_Normal; }
  unsigned long getPeerCertificateLength() override { return 0; }
  unsigned long getPeerCertificate(void*, unsigned long) override { return 0; }

 private:
  OFCondition open();

  Connection& connection_;
};

class TransportLayer : public DcmTransportLayer {
 public:
  // `connection_of` gives the connection of a socket that DCMTK has opened or was given.
  explicit TransportLayer(std::function<Connection&(int)> connection_of) : connection_of_(std::move(connection_of)) {}

  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) override;

 private:
  std::function<Connection&(int)> connection_of_;
};

// Enters who we are, for the peer to read. `version` has at most 16 characters.
void set_implementation(T_ASC_Parameters& parameters, const std::string& version);

// For DCMTK's own limits, which are never the ones that end a wait.
template <typename Duration>
int whole_seconds(Duration time) {
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace mercure::dimse

#endif
