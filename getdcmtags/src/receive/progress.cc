#include "receive/progress.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace mercure::receive {

static_assert(std::atomic<Progress::Phase>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free,
              "a lock would not survive the death of one side");

SharedProgress::SharedProgress() {
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  progress_.reset(new (memory) Progress);
}

void SharedProgress::Unmap::operator()(Progress* progress) const { munmap(progress, sizeof(Progress)); }

}  // namespace mercure::receive
