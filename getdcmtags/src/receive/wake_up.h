// A tap on the server's shoulder: an association process asks it to look at the disk now.
#ifndef MERCURE_RECEIVE_WAKE_UP_H
#define MERCURE_RECEIVE_WAKE_UP_H

#include "descriptor.h"

namespace mercure::receive {

// Made before fork(), so both sides have it. Not a signal: a process whose server has died would send it to a stranger.
class WakeUp {
 public:
  WakeUp();  // throws std::system_error

  void signal() const;
  void drain() const;
  int descriptor() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

}  // namespace mercure::receive

#endif
