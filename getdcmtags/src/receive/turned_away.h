// Callers over a limit: told so in DICOM's terms without a process each, so that a flood of them costs next to nothing.
#ifndef MERCURE_RECEIVE_TURNED_AWAY_H
#define MERCURE_RECEIVE_TURNED_AWAY_H

#include <poll.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "receive/listener.h"
#include "receive/sender.h"

namespace mercure::receive {

// Waits without blocking for the begin of each caller's association request (the AE titles are in it), answers with a transient
// rejection, "local limit exceeded" (PS3.8 table 9-21), and gives the caller a moment to read it.
class TurnedAway {
 public:
  using Clock = std::chrono::steady_clock;

  // `told` is called for each caller that was answered, with the reason it was taken with.
  explicit TurnedAway(std::function<void(const Sender&, const std::string&)> told) : told_(std::move(told)) {}

  // Takes a caller. When too many wait already, one of them makes room and is just closed: who says nothing must not keep the
  // answer from a caller who does. It is the one that has waited longest of the address with the most, and is told without titles.
  void take(Caller caller, std::string reason, Clock::time_point now);

  // Adds what is to be watched to a poll set.
  void watch(std::vector<pollfd>& set) const;

  // Goes on with those that have something to read, and lets those go whose time is over.
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

  std::function<void(const Sender&, const std::string&)> told_;
  std::vector<Waiting> waiting_;
};

}  // namespace mercure::receive

#endif
