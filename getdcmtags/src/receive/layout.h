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
        outbox(root + "/outbox"),
        state(root + "/state"),
        known_unreadable(state + "/quarantine") {}

  std::string receiving;
  std::string incoming;
  std::string quarantine;
  std::string outbox;
  std::string state;
  std::string known_unreadable;  // by which bytes each entry of the quarantine is known
};

}  // namespace mercure::receive

#endif
