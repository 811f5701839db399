// The association processes of the server: who they are, how many, and what is left to do when one is gone.
#ifndef MERCURE_RECEIVE_CHILDREN_H
#define MERCURE_RECEIVE_CHILDREN_H

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "outbox.h"
#include "receive/layout.h"
#include "receive/progress.h"
#include "receive/refusals.h"
#include "receive/sender.h"

namespace mercure::receive {

// What all associations together have done; for the metrics.
struct Totals {
  std::uint64_t associations = 0;
  std::uint64_t images = 0;
  std::uint64_t bytes = 0;
  std::uint64_t refused = 0;
  std::uint64_t quarantined = 0;

  void add(const Progress& progress);
};

class Children {
 public:
  Children(const Layout& layout, Outbox& outbox, Refusals& refusals)
      : layout_(layout), outbox_(outbox), refusals_(refusals) {}

  void add(pid_t pid, Sender sender, SharedProgress progress);

  std::size_t count() const { return children_.size(); }
  std::size_t count_from(const std::string& address) const;

  // Takes notice of all that have ended, and clears up and tells what those could not that died.
  void reap();

  // Tells what the living have refused, and what has come to its end of telling.
  void tell_refusals();

  // Asks all to come to an end within their stop limit.
  void ask_to_stop() const;

  // Ends all at once.
  void kill();

  // Of the ended and the living.
  Totals totals() const;

 private:
  struct Child {
    Sender sender;
    SharedProgress progress;
    std::chrono::steady_clock::time_point start;
    bool is_killed = false;
    std::uint64_t told_contexts = 0;
  };

  void ended(Child& child, int status);
  void died(Child& child, int status);
  void tell_contexts(Child& child);
  void rescue_part(const Child& child, const std::string& cause);
  void tell_end(const Child& child, const std::string& cause);

  const Layout& layout_;
  Outbox& outbox_;
  Refusals& refusals_;
  std::map<pid_t, Child> children_;
  std::map<std::string, std::size_t> by_address_;
  Totals ended_;
};

}  // namespace mercure::receive

#endif
