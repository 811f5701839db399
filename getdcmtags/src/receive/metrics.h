// The `metrics` event: images received since the last one. At most once a minute, and only when there were some.
#ifndef MERCURE_RECEIVE_METRICS_H
#define MERCURE_RECEIVE_METRICS_H

#include <chrono>

#include "outbox.h"
#include "receive/children.h"

namespace mercure::receive {

class Metrics {
 public:
  using Clock = std::chrono::steady_clock;

  Metrics(Outbox& outbox, Clock::time_point now) : outbox_(outbox), next_(now + kPeriod) {}

  // A caller over a limit was turned away.
  void turned_away() { ++turned_away_; }

  // Tells when it is time to. `open` is the number of associations at the moment.
  void report(const Totals& totals, std::size_t open, Clock::time_point now);

  // Emits what is left, at the end.
  void finish(const Totals& totals) { emit(totals, 0); }

 private:
  static constexpr auto kPeriod = std::chrono::minutes(1);

  void emit(const Totals& totals, std::size_t open);

  Outbox& outbox_;
  Clock::time_point next_;
  Totals reported_;
  unsigned long turned_away_ = 0;
};

}  // namespace mercure::receive

#endif
