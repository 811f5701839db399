// The connection of one association: a stream, and the waiting for it within our own limits.
//
// DCMTK's time limits count anew with each read, so that a peer which sends single bytes is never at an end. Here every wait ends at
// one limit (wait_limit.h).
#ifndef MERCURE_DIMSE_CONNECTION_H
#define MERCURE_DIMSE_CONNECTION_H

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dimse/stream.h"
#include "dimse/wait_limit.h"

namespace mercure::dimse {

class Connection {
 public:
  // `limit` outlives this.
  Connection(std::unique_ptr<Stream> stream, WaitLimit& limit) : stream_(std::move(stream)), limit_(limit) {}

  // Says what the stream has to say first, and waits for the answer. False: it cannot be used.
  bool open();

  // Waits for bytes and reads at most `size` of them. 0: the peer closed; -1: the network lost it or a limit has passed.
  ssize_t read(void* buffer, std::size_t size);

  // Keeps the bytes until the next send().
  void hold(std::string_view bytes) { held_ += bytes; }
  std::size_t held() const { return held_.size(); }

  // Sends the held bytes and then all of `bytes`. False: the connection has ended; nothing is sent any more, for the peer would take
  // it for the rest of what did not leave whole.
  bool send(std::string_view bytes = {});

  // Sends without waiting: the last words to a peer that may not listen any more.
  void send_last(std::string_view bytes);

  // Waits until there is something to read; false when a limit has passed first.
  bool wait_for_bytes();

  // Tells whether something can be read within `most`, or the connection has ended.
  bool has_bytes(std::chrono::milliseconds most);

  // Closes our side and gives the peer a moment to read what it was sent last: data that nobody read would make the kernel answer
  // with a reset, and the peer would lose our last words.
  void finish();

  // Asked before each PDU, so that a peer that never lets us wait is held to the limits, too.
  bool limit_passed() { return timed_out_ = limit_.passed(); }

  // A limit has ended the last wait.
  bool is_timed_out() const { return timed_out_; }

  // The peer closed the connection, or the network lost it.
  bool is_lost() const { return lost_; }

  // Bytes read so far; 0 after a mere probe of the port.
  std::uint64_t bytes_read() const { return bytes_read_; }

  // open() was asked and did not come to its end.
  bool is_opening() const { return is_opening_; }

  // What the stream says of its end; empty: nothing.
  const std::string& fault() const { return stream_->fault(); }
  std::optional<unsigned char> first_byte() const { return stream_->first_byte(); }

  WaitLimit& limit() const { return limit_; }
  int descriptor() const { return stream_->descriptor(); }

 private:
  bool wait(Stream::State wanted);

  std::unique_ptr<Stream> stream_;
  WaitLimit& limit_;
  std::string held_;
  bool timed_out_ = false;
  bool lost_ = false;
  bool is_opening_ = false;
  bool torn_ = false;  // a sending ended before its last byte
  std::uint64_t bytes_read_ = 0;
};

}  // namespace mercure::dimse

#endif
