// Any bytes from a sender: the association must end, clear its folder, and keep only whole DICOM files; and it must have said no
// more Success than there are images.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dul.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "ids.h"
#include "receive/association.h"
#include "receive/log.h"

namespace {

using namespace mercure;
namespace fs = std::filesystem;

constexpr int kBuffer = 4 << 20;  // all that either side says fits, so that one thread is enough
constexpr std::uint32_t kSenders = 0x7F010000;  // 127.1.0.0/16
constexpr const char* kStages[] = {"receiving", "incoming", "quarantine", "outbox"};

[[noreturn]] void unsound() { std::abort(); }

// A spool in memory, emptied after each run.
class Spool {
 public:
  Spool() {
    std::string name = "/dev/shm/mercure-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) unsound();
    root_ = name;
    for (const char* stage : kStages) fs::create_directory(root_ / stage);
  }
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool() { fs::remove_all(root_); }

  std::string path() const { return root_; }

  bool is_empty(const char* stage) const { return fs::is_empty(root_ / stage); }

  // The number of images; each must be a DICOM file.
  std::uint64_t images() const {
    std::uint64_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "incoming")) {
      if (entry.path().extension() != ".dcm") continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::string start(132, '\0');
      if (!file.read(start.data(), 132) || start.substr(128) != "DICM") unsound();
      ++count;
    }
    return count;
  }

  void clear() const {
    for (const char* stage : kStages) {
      for (const auto& entry : fs::directory_iterator(root_ / stage)) fs::remove_all(entry.path());
    }
  }

 private:
  fs::path root_;
};

struct Connection {
  Descriptor sender;
  Descriptor receiver;
};

void grow(int socket) {
  const int bytes = kBuffer;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

// Two ends of a TCP connection: DCMTK asks its socket what only a TCP socket can say.
Connection connect() {
  static const Descriptor listener = [] {
    Descriptor made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    grow(made.get());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(made.get(), 1) != 0) unsound();
    return made;
  }();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  Connection made{Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), Descriptor()};
  grow(made.sender.get());
  // Each from another of 65,536 addresses: ended connections wait for a minute (TIME_WAIT), and with one address the ports
  // were used up within seconds. A hard end (SO_LINGER) helps only where the receiver does not end first.
  static std::uint16_t number = 0;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(kSenders + number++);
  const int late = 1;
  setsockopt(made.sender.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  if (bind(made.sender.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) unsound();
  if (::connect(made.sender.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) unsound();
  made.receiver = Descriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!made.receiver) unsound();
  return made;
}

void send_all(int socket, const std::uint8_t* data, std::size_t size) {
  while (size > 0) {
    const ssize_t count = send(socket, data, size, MSG_NOSIGNAL);
    if (count <= 0) unsound();
    data += count;
    size -= static_cast<std::size_t>(count);
  }
  shutdown(socket, SHUT_WR);
}

receive::Config config_of(const Spool& spool) {
  receive::Config config;
  config.spool = spool.path();
  config.durable = false;
  config.min_free_bytes = 0;
  config.max_object_bytes = 1 << 20;
  config.acse_timeout = config.idle_timeout = config.stop_timeout = std::chrono::milliseconds(2000);
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Spool spool;
  static const receive::Config config = config_of(spool);
  static const receive::WakeUp server;
  receive::log::set_level(receive::log::Level::error);
  dcmDisableGethostbyaddr.set(OFTrue);  // as the receiver does: names are asked of nobody

  Connection connection = connect();
  send_all(connection.sender.get(), data, size);
  const auto progress = std::make_unique<receive::Progress>();
  {
    const receive::UnableSenders unable(config.spool);
    const receive::AllQuotaCounters quotas(config.senders);
    receive::Association association(std::move(connection.receiver), nullptr, {new_id(), "127.0.0.1", "", ""}, config, unable, quotas,
                                     *progress, server, nullptr);
    association.run();
  }
  // Two objects may be one image, or the second be another of the same name; never fewer files than objects that differ.
  if (!spool.is_empty("receiving")) unsound();
  if (spool.images() > progress->images) unsound();
  if (progress->images > 0 && spool.images() == 0) unsound();
  spool.clear();
  return 0;
}
