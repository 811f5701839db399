#include "storescu/broker.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace mercure::storescu {
namespace {

constexpr char kConnect = 'c';
constexpr char kStart = 's';
constexpr char kEnd = 'e';
constexpr std::size_t kMostDescriptors = 2;

// What goes back for each request, with descriptors beside it.
struct Message {
  int status = 0;
  std::array<char, 400> fault{};
};

std::string because(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// connect(2) itself: the name is taken (dcmtk_connect.cc).
bool begin_to_connect(int socket, const addrinfo& address) {
  return syscall(SYS_connect, socket, address.ai_addr, address.ai_addrlen) == 0 || errno == EINPROGRESS;
}

// A name that has addresses of both kinds is reached over IPv4, as it always was.
const addrinfo& preferred(const addrinfo& first) {
  for (const addrinfo* one = &first; one != nullptr; one = one->ai_next) {
    if (one->ai_family == AF_INET) return *one;
  }
  return first;
}

Descriptor connect_to(const std::string& host, unsigned port, std::string& fault) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found); error != 0) {
    fault = std::string("its name cannot be resolved: ") + (error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error));
    return {};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  const addrinfo& address = preferred(*addresses);
  Descriptor made(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made && begin_to_connect(made.get(), address)) return made;
  fault = std::strerror(errno);
  return {};
}

void send_reply(int link, const Message& message, const std::vector<int>& descriptors) {
  iovec part{const_cast<Message*>(&message), sizeof message};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t bytes = descriptors.size() * sizeof(int);
    header.msg_control = room.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* beside = CMSG_FIRSTHDR(&header);
    beside->cmsg_level = SOL_SOCKET;
    beside->cmsg_type = SCM_RIGHTS;
    beside->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(beside), descriptors.data(), bytes);
  }
  // A sender that is gone needs no reply, and the next read says so.
  [[maybe_unused]] const auto sent = sendmsg(link, &header, MSG_NOSIGNAL);
}

void serve(int link, const Options& options) {
  convert::CodecProgram codec(options.codec);
  for (char request = 0; true;) {
    const ssize_t count = recv(link, &request, 1, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    Message message;
    std::string fault;
    Descriptor connection;
    convert::CodecPipes pipes;
    std::vector<int> descriptors;
    if (request == kConnect && (connection = connect_to(options.host, options.port, fault))) descriptors = {connection.get()};
    if (request == kStart && (fault = codec.start(pipes)).empty()) descriptors = {pipes.to_codec.get(), pipes.from_codec.get()};
    if (request == kEnd) message.status = codec.end();
    fault.copy(message.fault.data(), message.fault.size() - 1);
    send_reply(link, message, descriptors);
  }
  codec.end();
}

// It ends with the sender, and holds nothing of it: the dispatcher waits for the end of the sender's output, and takes the locks that
// were given to it for gone when it has ended.
[[noreturn]] void run(Descriptor link, const Options& options, pid_t sender) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != sender) _exit(0);
  for (const int number : {SIGTERM, SIGINT}) signal(number, SIG_IGN);
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  constexpr int kLink = STDERR_FILENO + 1;
  if (link.get() != kLink) dup3(link.get(), kLink, O_CLOEXEC);
  close_range(kLink + 1, ~0U, 0);
  serve(kLink, options);
  _exit(0);
}

}  // namespace

// The codec of a broker, as the sender has it.
class Broker::RemoteCodec final : public convert::CodecStarter {
 public:
  explicit RemoteCodec(Broker& broker) : broker_(broker) {}

  std::string start(convert::CodecPipes& pipes) override {
    Reply reply = broker_.ask(kStart);
    if (!reply.fault.empty()) return reply.fault;
    if (reply.descriptors.size() != 2) return "the codec cannot be started: it has no pipes";
    pipes = {std::move(reply.descriptors[0]), std::move(reply.descriptors[1])};
    return {};
  }

  int end() override { return broker_.ask(kEnd).status; }

 private:
  Broker& broker_;
};

Broker::Broker(const Options& options) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  link_ = Descriptor(ends[0]);
  Descriptor other(ends[1]);
  const pid_t sender = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) run(std::move(other), options, sender);
}

Descriptor Broker::connect(std::string& fault) {
  Reply reply = ask(kConnect);
  fault = reply.fault;
  if (reply.descriptors.empty()) return {};
  return std::move(reply.descriptors.front());
}

std::unique_ptr<convert::CodecStarter> Broker::codec_starter() { return std::make_unique<RemoteCodec>(*this); }

Broker::Reply Broker::ask(char request) {
  const std::lock_guard lock(mutex_);
  Message message;
  iovec part{&message, sizeof message};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.data();
  header.msg_controllen = room.size();
  ssize_t count = send(link_.get(), &request, 1, MSG_NOSIGNAL);
  do {
    if (count > 0) count = recvmsg(link_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  Reply reply;
  if (count != static_cast<ssize_t>(sizeof message)) {
    reply.fault = because("the sender's broker does not answer");
    return reply;
  }
  message.fault.back() = '\0';
  reply.fault = message.fault.data();
  reply.status = message.status;
  const cmsghdr* beside = CMSG_FIRSTHDR(&header);
  if (beside == nullptr || beside->cmsg_type != SCM_RIGHTS) return reply;
  std::array<int, kMostDescriptors> numbers{};
  const std::size_t bytes = std::min(beside->cmsg_len - CMSG_LEN(0), sizeof numbers);
  std::memcpy(numbers.data(), CMSG_DATA(beside), bytes);
  for (std::size_t place = 0; place < bytes / sizeof(int); ++place) reply.descriptors.emplace_back(numbers[place]);
  return reply;
}

}  // namespace mercure::storescu
