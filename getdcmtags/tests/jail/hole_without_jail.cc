// What planted_hole.cc does, in a process that nothing shuts in.
#include <unistd.h>

int main() {
  [[maybe_unused]] const int synced = fdatasync(STDERR_FILENO);
  return 0;
}
