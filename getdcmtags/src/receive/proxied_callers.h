// Callers that come by way of a proxy, until it has said who they are.
#ifndef MERCURE_RECEIVE_PROXIED_CALLERS_H
#define MERCURE_RECEIVE_PROXIED_CALLERS_H

#include <poll.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "receive/listener.h"

namespace mercure::receive {

// Reads the header of the PROXY protocol and not a byte more, without blocking and without a process: who has how many places is
// decided by the address in it. What follows, TLS or not, is left for the association.
class ProxiedCallers {
 public:
  using Clock = std::chrono::steady_clock;
  using OnKnown = std::function<void(Caller)>;                               // with the address of the caller
  using OnRefused = std::function<void(const Caller&, const std::string&)>;  // with that of the proxy, and the reason

  ProxiedCallers(OnKnown on_known, OnRefused on_refused) : on_known_(std::move(on_known)), on_refused_(std::move(on_refused)) {}

  // Takes a caller, who has to be known at `until`. When too many wait already, the one that waits longest is refused.
  void take(Caller caller, Clock::time_point until);

  // Adds the callers to a poll set.
  void watch(std::vector<pollfd>& set) const;

  // Reads from those that have sent something. Those without a header in time, or with a wrong one, are closed without an answer.
  void work(Clock::time_point now);

  bool is_empty() const { return waiting_.empty(); }
  void clear() { waiting_.clear(); }

 private:
  enum class State { waits, is_known, is_gone };
  struct Waiting {
    Caller caller;
    std::string heard;
    Clock::time_point until;
  };

  State read_from(Waiting& waiting, Clock::time_point now);
  State ended(const Waiting& waiting) const;
  State refused(const Waiting& waiting, const std::string& reason) const;

  OnKnown on_known_;
  OnRefused on_refused_;
  std::vector<Waiting> waiting_;
};

}  // namespace mercure::receive

#endif
