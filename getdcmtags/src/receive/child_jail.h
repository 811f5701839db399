// What an association process can reach: where images go, and nothing else. Its bytes come from the network, and what parses them may
// have a hole: then no setting, no database, no other program is behind it.
#ifndef MERCURE_RECEIVE_CHILD_JAIL_H
#define MERCURE_RECEIVE_CHILD_JAIL_H

#include <string>

#include "jail/jail.h"
#include "receive/layout.h"

namespace mercure::receive {

class ChildJail {
 public:
  // The spool is there. Throws std::runtime_error.
  explicit ChildJail(const Layout& layout);

  // Shuts this process in, before the first byte of a sender. Throws std::runtime_error, and then it must not go on.
  void enter() const;

  // From now on it reaches of `receiving/` the folder of its association alone. Throws as enter() does.
  void keep_to(const std::string& association) const;

 private:
  const Layout& layout_;
  jail::CallFilter calls_;
};

}  // namespace mercure::receive

#endif
