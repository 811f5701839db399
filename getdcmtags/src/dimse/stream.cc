#include "dimse/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

namespace mercure::dimse {

namespace {

void switch_on(int socket, int level, int option) {
  const int on = 1;
  // Each of them makes things faster or tidier; none is worth an association.
  [[maybe_unused]] const int result = setsockopt(socket, level, option, &on, sizeof on);
}

Stream::Outcome not_moved(Stream::State blocked) {
  return {errno == EAGAIN || errno == EWOULDBLOCK ? blocked : Stream::State::failed};
}

}  // namespace

TcpStream::TcpStream(Descriptor socket) : socket_(std::move(socket)) {
  switch_on(socket_.get(), IPPROTO_TCP, TCP_NODELAY);
  switch_on(socket_.get(), SOL_SOCKET, SO_KEEPALIVE);
}

Stream::Outcome TcpStream::read(char* into, std::size_t size) {
  ssize_t count = 0;
  do {
    count = recv(socket_.get(), into, size, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return not_moved(State::want_read);
  if (count == 0) return {State::closed};
  if (!first_byte_) first_byte_ = static_cast<unsigned char>(*into);
  // DCMTK leaves Nagle's algorithm and delayed acknowledgements as they are, which holds many peers to some 20 images a second.
  // The kernel leaves quick acknowledgement by itself again and again. Switched on now, it also sends the acknowledgement that
  // is due.
  switch_on(socket_.get(), IPPROTO_TCP, TCP_QUICKACK);
  return {State::moved, static_cast<std::size_t>(count)};
}

Stream::Outcome TcpStream::write(std::string_view first, std::string_view second) {
  std::array<iovec, 2> parts{
      {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  ssize_t count = 0;
  do {
    count = sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return not_moved(State::want_write);
  return {State::moved, static_cast<std::size_t>(count)};
}

bool TcpStream::end_writing() { return shutdown(socket_.get(), SHUT_WR) == 0; }

}  // namespace mercure::dimse
