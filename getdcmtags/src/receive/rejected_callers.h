// Callers over a limit. They are rejected without a process each, so a flood of them costs next to nothing.
#ifndef MERCURE_RECEIVE_REJECTED_CALLERS_H
#define MERCURE_RECEIVE_REJECTED_CALLERS_H

#include <poll.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "receive/listener.h"
#include "receive/sender.h"

namespace mercure::receive {

// Waits without blocking for the start of each caller's association request, which has the AE titles, answers with a transient
// rejection, "local limit exceeded" (PS3.8 table 9-21), and keeps the connection for a moment, so that the caller can read it.
class RejectedCallers {
 public:
  using Clock = std::chrono::steady_clock;

  // Calls `on_rejected` for each caller that was answered, with the reason given to take().
  explicit RejectedCallers(std::function<void(const Sender&, const std::string&)> on_rejected) : on_rejected_(std::move(on_rejected)) {}

  // Takes a caller. When too many wait already, one of them is closed without an answer, so that silent callers do not keep the answer
  // from those who speak: the longest waiting one of the address with most. It is reported without AE titles.
  void take(Caller caller, std::string reason, Clock::time_point now);

  // Adds the callers to a poll set.
  void watch(std::vector<pollfd>& set) const;

  // Reads from the callers that have sent something, and closes those whose time is over.
  void work(Clock::time_point now);

  bool is_empty() const { return waiting_.empty(); }
  void clear() { waiting_.clear(); }

 private:
  struct Waiting {
    Caller caller;
    std::string reason;
    std::string heard;
    bool answered = false;
    Clock::time_point until;
  };

  void make_room();
  bool is_done(Waiting& waiting, Clock::time_point now);
  void answer(Waiting& waiting, Clock::time_point now);

  std::function<void(const Sender&, const std::string&)> on_rejected_;
  std::vector<Waiting> waiting_;
};

}  // namespace mercure::receive

#endif
