#include "receive/transport.h"

namespace mercure::receive {

ssize_t Transport::write(void* buffer, size_t size) {
  return connection_.send({static_cast<const char*>(buffer), size}) ? static_cast<ssize_t>(size) : -1;
}

OFBool Transport::networkDataAvailable(int) { return connection_.wait_for_bytes() ? OFTrue : OFFalse; }

OFString& Transport::dumpConnectionParameters(OFString& text) {
  text = "TCP/IP, unencrypted";
  return text;
}

DcmTransportConnection* TransportLayer::createConnection(DcmNativeSocketType, OFBool use_secure_layer) {
  if (use_secure_layer) return nullptr;
  return new Transport(connection_);  // DCMTK's association deletes it
}

}  // namespace mercure::receive
