#include "dimse/dcmtk.h"

#include <dcmtk/dcmnet/cond.h>
#include <dcmtk/ofstd/ofstd.h>

#include "receipt.h"

namespace mercure::dimse {

ssize_t Transport::write(void* buffer, size_t size) {
  return connection_.send({static_cast<const char*>(buffer), size}) ? static_cast<ssize_t>(size) : -1;
}

OFCondition Transport::open() {
  if (connection_.open()) return EC_Normal;
  return makeDcmnetCondition(DULC_TLSERROR, OF_error, "the connection could not be opened");
}

OFBool Transport::networkDataAvailable(int) { return connection_.wait_for_bytes() ? OFTrue : OFFalse; }

OFString& Transport::dumpConnectionParameters(OFString& text) {
  text = "TCP/IP, unencrypted";
  return text;
}

DcmTransportConnection* TransportLayer::createConnection(DcmNativeSocketType socket, OFBool use_secure_layer) {
  if (use_secure_layer) return nullptr;
  return new Transport(connection_of_(socket));  // DCMTK's association deletes it
}

void set_implementation(T_ASC_Parameters& parameters, const std::string& version) {
  OFStandard::strlcpy(parameters.ourImplementationClassUID, kImplementationClassUid, sizeof parameters.ourImplementationClassUID);
  OFStandard::strlcpy(parameters.ourImplementationVersionName, version.c_str(), sizeof parameters.ourImplementationVersionName);
}

}  // namespace mercure::dimse
