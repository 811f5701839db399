#include "storescu/dcmtk_connect.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace mercure::storescu {
namespace {

std::atomic<Broker*> g_broker{nullptr};  // connect() has no other way to it
thread_local std::string t_fault;

}  // namespace

void connect_by(Broker& broker) { g_broker = &broker; }

const std::string& connect_fault() { return t_fault; }

}  // namespace mercure::storescu

// Takes the place of the C library's for DCMTK (ELF: what the program defines comes before libraries). The address is DCMTK's guess;
// the broker has the target's.
extern "C" int connect(int socket, const sockaddr*, socklen_t) {
  using namespace mercure::storescu;
  Broker* broker = g_broker;
  if (broker == nullptr) {
    errno = ENOTCONN;
    return -1;
  }
  const mercure::Descriptor made = broker->connect(t_fault);
  if (!made || dup3(made.get(), socket, 0) < 0) {
    if (t_fault.empty()) t_fault = "no descriptor is left";
    errno = ENETUNREACH;
    return -1;
  }
  errno = EINPROGRESS;
  return -1;
}
