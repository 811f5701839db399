// The time limits of one association. They are checked wherever the process waits for its peer, so that they hold against a peer
// that sends one byte at a time or falls silent in the middle of a PDU.
#ifndef MERCURE_RECEIVE_DEADLINES_H
#define MERCURE_RECEIVE_DEADLINES_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dimse/wait_limit.h"

namespace mercure::receive {

struct Limits {
  std::chrono::milliseconds acse;   // until the association request has been read
  std::chrono::milliseconds idle;   // from one whole PDU to the next
  std::chrono::milliseconds total;  // of the association; 0: none
  std::chrono::milliseconds stop;   // after a stop request
};

class Deadlines final : public dimse::WaitLimit {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Limit { acse, idle, total, stop, place };

  Deadlines(const Limits& limits, Clock::time_point start);

  // The association request has been read. From now on the idle limit counts instead of that of ACSE.
  void established(Clock::time_point now);

  // A whole PDU was received, or a message sent.
  void progress(Clock::time_point now);

  // The place is wanted for another sender. An idle association ends at once, another one a little later. Later calls change nothing.
  void place_wanted(Clock::time_point now);

  // Copies the time of the last whole PDU to `last_pdu` from now on.
  void show(std::atomic<std::int64_t>& last_pdu);

  // From now on `wanted` says whether a stop request means that another sender needs the place.
  void give_way(const std::atomic<bool>& wanted) { is_wanted_ = &wanted; }

  // The server wants to end; later calls change nothing.
  void stop_requested(Clock::time_point now);
  bool is_stopping() const { return stop_.has_value() || wanted_.has_value(); }

  // The limit that has passed, if one has.
  std::optional<Limit> expired(Clock::time_point now) const;

  // The first limit that passed() has found.
  std::optional<Limit> ended_by() const { return ended_by_; }

  bool passed() override;
  int milliseconds_left() const override { return milliseconds_left(Clock::now()); }
  int wake_descriptor() const override;
  void pdu_done() override { progress(Clock::now()); }

  // Until the next limit passes, never below 0; for poll(), so in milliseconds rounded up, and at most a day.
  int milliseconds_left(Clock::time_point now) const;

 private:
  struct Deadline {
    Limit limit;
    Clock::time_point at;
  };
  Deadline next() const;

  Limits limits_;
  Clock::time_point start_;
  Clock::time_point last_pdu_;
  bool established_ = false;
  std::atomic<std::int64_t>* shown_ = nullptr;
  const std::atomic<bool>* is_wanted_ = nullptr;
  std::optional<Clock::time_point> wanted_;
  std::optional<Clock::time_point> stop_;
  std::optional<Limit> ended_by_;
};

// Names a limit, for the log.
std::string text_of(Deadlines::Limit limit);

}  // namespace mercure::receive

#endif
