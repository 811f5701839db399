// A Connection as DCMTK sees it while it negotiates the association.
#ifndef MERCURE_RECEIVE_TRANSPORT_H
#define MERCURE_RECEIVE_TRANSPORT_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include "receive/connection.h"

namespace mercure::receive {

// DCMTK deletes it when it thinks that the connection is over; the connection is ours, and stays open for our last words.
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

  // TLS will answer these in a class of its own.
  OFCondition serverSideHandshake() override { return EC_Normal; }
  OFCondition clientSideHandshake() override { return EC_Normal; }
  OFCondition renegotiate(const char*) override { return EC_Normal; }
  unsigned long getPeerCertificateLength() override { return 0; }
  unsigned long getPeerCertificate(void*, unsigned long) override { return 0; }

 private:
  Connection& connection_;
};

// Hands DCMTK the one connection of this process.
class TransportLayer : public DcmTransportLayer {
 public:
  explicit TransportLayer(Connection& connection) : connection_(connection) {}

  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) override;

 private:
  Connection& connection_;
};

}  // namespace mercure::receive

#endif
