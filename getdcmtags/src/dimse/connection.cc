#include "dimse/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace mercure::dimse {

namespace {

using State = Stream::State;
using Clock = std::chrono::steady_clock;

constexpr auto kLastWords = std::chrono::milliseconds(500);

bool is_blocked(State state) { return state == State::want_read || state == State::want_write; }

}  // namespace

bool Connection::open() {
  is_opening_ = true;
  State state = stream_->open();
  while (is_blocked(state) && wait(state)) state = stream_->open();
  if (is_blocked(state)) return false;
  lost_ = state != State::moved;
  is_opening_ = lost_;
  return !lost_;
}

ssize_t Connection::read(void* buffer, std::size_t size) {
  while (true) {
    const auto [state, count] = stream_->read(static_cast<char*>(buffer), size);
    if (state == State::moved) {
      bytes_read_ += count;
      return static_cast<ssize_t>(count);
    }
    if (!is_blocked(state)) {
      lost_ = true;
      return state == State::closed ? 0 : -1;
    }
    if (!wait(state)) {
      errno = ETIMEDOUT;
      return -1;
    }
  }
}

bool Connection::send(std::string_view bytes) {
  if (torn_) return false;
  std::string_view first = held_;
  while (!first.empty() || !bytes.empty()) {
    const auto [state, count] = stream_->write(first, bytes);
    if (state == State::moved) {
      const std::size_t of_first = std::min(first.size(), count);
      first.remove_prefix(of_first);
      bytes.remove_prefix(count - of_first);
      limit_.bytes_sent();
    } else if (!is_blocked(state)) {
      lost_ = true;
      break;
    } else if (!wait(state)) {
      break;
    }
  }
  torn_ = !first.empty() || !bytes.empty();
  held_.clear();
  return !torn_;
}

void Connection::send_last(std::string_view bytes) {
  if (!torn_) stream_->write(bytes, {});
}

bool Connection::wait_for_bytes() { return stream_->has_pending() || wait(State::want_read); }

bool Connection::has_bytes(std::chrono::milliseconds most) {
  if (stream_->has_pending()) return true;
  const auto end = Clock::now() + most;
  while (true) {
    pollfd watched{descriptor(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (poll(&watched, 1, static_cast<int>(std::max<long long>(left.count(), 0))) <= 0) return false;
    if (stream_->has_news()) return true;
  }
}

bool Connection::wait(State wanted) {
  const short events = wanted == State::want_read ? POLLIN : POLLOUT;
  while (!limit_passed()) {
    std::array<pollfd, 2> watched{{{descriptor(), events, 0}, {limit_.wake_descriptor(), POLLIN, 0}}};
    const int ready = poll(watched.data(), watched.size(), limit_.milliseconds_left());
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && watched[0].revents != 0) return true;
  }
  return false;
}

void Connection::finish() {
  if (lost_ || torn_ || !stream_->end_writing()) return;
  const auto end = Clock::now() + kLastWords;
  std::array<char, 65536> ignored;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || !has_bytes(left)) return;
    const State state = stream_->read(ignored.data(), ignored.size()).state;
    if (state == State::closed || state == State::failed) return;
  }
}

}  // namespace mercure::dimse
