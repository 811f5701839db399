// A connection whose other end the test holds.
#ifndef MERCURE_TESTS_DIMSE_ENDS_H
#define MERCURE_TESTS_DIMSE_ENDS_H

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "dimse/connection.h"

namespace mercure::dimse {

// Waiting ends some time after the start.
class TimeLimit : public WaitLimit {
 public:
  explicit TimeLimit(std::chrono::milliseconds most) : end_(Clock::now() + most) {}

  bool passed() override { return Clock::now() >= end_; }
  int milliseconds_left() const override {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count());
  }
  int wake_descriptor() const override { return -1; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point end_;
};

struct Ends {
  explicit Ends(std::chrono::milliseconds most = std::chrono::seconds(60)) : limit(most) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer = Descriptor(ends[1]);
    connection.emplace(std::make_unique<TcpStream>(Descriptor(ends[0])), limit);
  }
  void say(const std::string& bytes) { ASSERT_EQ(write(peer.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())); }
  std::string heard(std::size_t size) {
    std::string bytes(size, '\0');
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(recv(peer.get(), bytes.data(), size, MSG_WAITALL), 0)));
    return bytes;
  }

  TimeLimit limit;
  Descriptor peer;
  std::optional<Connection> connection;
};

}  // namespace mercure::dimse

#endif
