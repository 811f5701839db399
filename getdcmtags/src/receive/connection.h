// The TCP connection of one association, with our time limits and without delayed acknowledgements.
#ifndef MERCURE_RECEIVE_CONNECTION_H
#define MERCURE_RECEIVE_CONNECTION_H

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "descriptor.h"
#include "receive/deadlines.h"

namespace mercure::receive {

class Connection {
 public:
  // Takes over the connected socket. `deadlines` outlives this.
  Connection(Descriptor socket, Deadlines& deadlines);

  // From now on `wanted` tells that another sender needs this place; it is looked at when a stop request has come.
  void give_way(const std::atomic<bool>& wanted) { wanted_ = &wanted; }

  // Waits for bytes and reads at most `size` of them. 0: the peer closed; -1: the network lost it or a limit has passed.
  ssize_t read(void* buffer, std::size_t size);

  // Sends all of it in one go, so that a PDU wakes the peer once. False: the connection is at its end.
  bool send(std::string_view bytes);

  // Sends without waiting: the last words to a peer that may not listen any more.
  void send_last(std::string_view bytes);

  // Waits until there is something to read; false when a limit has passed first.
  bool wait_for_bytes();

  // Closes our side and gives the peer a moment to read what it was sent last: data that nobody read would make the kernel answer
  // with a reset, and the peer would lose our last words.
  void finish();

  // Tells whether a limit has passed, and remembers which. Asked before each PDU, so that a peer that never lets us wait is held too.
  bool limit_passed();

  // Bytes read so far; 0 tells a probe of the port from a sender.
  std::uint64_t bytes_read() const { return bytes_read_; }

  // The limit that ended it; nothing when it ended otherwise.
  std::optional<Deadlines::Limit> expired() const { return expired_; }

  // The peer closed the connection, or the network lost it.
  bool is_lost() const { return lost_; }

  int descriptor() const { return socket_.get(); }

 private:
  bool wait(short events);

  Descriptor socket_;
  Deadlines& deadlines_;
  const std::atomic<bool>* wanted_ = nullptr;
  bool lost_ = false;
  std::uint64_t bytes_read_ = 0;
  std::optional<Deadlines::Limit> expired_;
};

}  // namespace mercure::receive

#endif
