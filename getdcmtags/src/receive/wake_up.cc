#include "receive/wake_up.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace mercure::receive {

WakeUp::WakeUp() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!descriptor_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void WakeUp::signal() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(descriptor_.get(), &one, sizeof one);
}

void WakeUp::drain() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = read(descriptor_.get(), &count, sizeof count);
}

}  // namespace mercure::receive
