// Memory that a process shares with its children.
#ifndef MERCURE_RECEIVE_SHARED_MEMORY_H
#define MERCURE_RECEIVE_SHARED_MEMORY_H

#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

namespace mercure::receive {

// One value that a child of fork() shares; it has no pointers, and its members are atomic.
template <typename Value>
class SharedMemory {
 public:
  // Throws std::system_error.
  SharedMemory() {
    void* memory = mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    value_.reset(new (memory) Value);
  }

  Value& operator*() const { return *value_; }
  Value* operator->() const { return value_.get(); }

 private:
  struct Unmap {
    void operator()(Value* value) const { munmap(value, sizeof(Value)); }
  };
  std::unique_ptr<Value, Unmap> value_;
};

}  // namespace mercure::receive

#endif
