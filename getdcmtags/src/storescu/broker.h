// Does for a sender what one that is shut in may not: it connects to the target, and starts the codec. A process of its own, forked
// before the first byte of an image or a target is read; it takes no arguments, so a sender in strange hands gains nothing by it.
#ifndef MERCURE_STORESCU_BROKER_H
#define MERCURE_STORESCU_BROKER_H

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "convert/codec_starter.h"
#include "descriptor.h"
#include "storescu/options.h"

namespace mercure::storescu {

class Broker {
 public:
  // Forks it; no other thread may run. Throws std::system_error.
  explicit Broker(const Options& options);

  // Begins to connect to the target, without waiting for it. The socket, or why there is none.
  Descriptor connect(std::string& fault);

  // Starts and ends the codec by this broker, which outlives it.
  std::unique_ptr<convert::CodecStarter> codec_starter();

 private:
  class RemoteCodec;

  struct Reply {
    std::string fault;
    int status = 0;
    std::vector<Descriptor> descriptors;
  };

  Reply ask(char request);

  std::mutex mutex_;
  Descriptor link_;
};

}  // namespace mercure::storescu

#endif
