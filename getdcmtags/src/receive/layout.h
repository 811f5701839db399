// Where things are in the spool (docs/reference/spool.md, "Root and stages").
#ifndef MERCURE_RECEIVE_LAYOUT_H
#define MERCURE_RECEIVE_LAYOUT_H

#include <string>

namespace mercure::receive {

struct Layout {
  explicit Layout(const std::string& root)
      : receiving(root + "/receiving"),
        incoming(root + "/incoming"),
        quarantine(root + "/quarantine"),
        outbox(root + "/outbox") {}

  std::string receiving;
  std::string incoming;
  std::string quarantine;
  std::string outbox;
};

}  // namespace mercure::receive

#endif
