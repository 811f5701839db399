#include "receive/stop_request.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace mercure::receive::stop_request {

namespace {

volatile std::sig_atomic_t g_made = 0;  // a signal handler reaches nothing but globals
int g_descriptor = -1;

extern "C" void note_stop_request(int) {
  const int kept = errno;
  g_made = 1;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(g_descriptor, &one, sizeof one);
  errno = kept;
}

}  // namespace

void listen() {
  g_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (g_descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  struct sigaction action {};
  action.sa_handler = note_stop_request;
  action.sa_flags = SA_RESTART;  // no write or sync of an image is disturbed; poll() wakes all the same
  sigemptyset(&action.sa_mask);
  if (sigaction(kSignal, &action, nullptr) != 0) throw std::system_error(errno, std::generic_category(), "sigaction");
}

bool is_made() { return g_made != 0; }

int descriptor() { return g_descriptor; }

}  // namespace mercure::receive::stop_request
