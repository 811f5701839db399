#include "storescu/deadline.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>

namespace mercure::storescu {
namespace {

std::atomic<bool> g_requested{false};
std::atomic<Clock::rep> g_requested_at{0};
std::atomic<int> g_descriptor{-1};

// Only what a signal handler may do: a clock, a store, a write.
void on_signal(int) {
  const int saved = errno;
  Stop::request();
  errno = saved;
}

}  // namespace

void Stop::install() {
  g_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

void Stop::request() {
  if (!g_requested) g_requested_at = Clock::now().time_since_epoch().count();
  g_requested = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(g_descriptor, &one, sizeof one);
}

bool Stop::requested() { return g_requested; }

int Stop::descriptor() { return g_descriptor; }

Clock::time_point Stop::end_of_grace() {
  return g_requested ? Clock::time_point(Clock::duration(g_requested_at)) + kGrace : Clock::time_point::max();
}

Clock::time_point Deadline::earliest() const { return std::min({step_, total_, Stop::end_of_grace()}); }

std::optional<Deadline::Expiry> Deadline::expired() const {
  const auto now = Clock::now();
  if (now >= Stop::end_of_grace()) return Expiry::stopped;
  if (now >= total_) return Expiry::total;
  if (now >= step_) return Expiry::step;
  return std::nullopt;
}

bool Deadline::passed() {
  ended_by_ = expired();
  return ended_by_.has_value();
}

int Deadline::wake_descriptor() const { return Stop::requested() ? -1 : Stop::descriptor(); }

int Deadline::milliseconds_left() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest() - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 1, std::numeric_limits<int>::max()));
}

}  // namespace mercure::storescu
