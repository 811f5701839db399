// DCMTK connects by itself, with no way to hand it a socket. Of this program the connection is made by the broker: what DCMTK calls
// is the connect() of dcmtk_connect.cc, which gives it the broker's socket in the place of its own.
#ifndef MERCURE_STORESCU_DCMTK_CONNECT_H
#define MERCURE_STORESCU_DCMTK_CONNECT_H

#include <string>

#include "storescu/broker.h"

namespace mercure::storescu {

// For all connections of this process from now on; the broker outlives them.
void connect_by(Broker& broker);

// Why the last connection of this thread could not be begun; empty where it was.
const std::string& connect_fault();

}  // namespace mercure::storescu

#endif
