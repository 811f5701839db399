#include "receive/metrics.h"

#include <optional>

namespace mercure::receive {

void Metrics::report(const Totals& totals, std::size_t open, Clock::time_point now) {
  if (now < next_) return;
  next_ = now + kPeriod;
  emit(totals, open);
}

void Metrics::emit(const Totals& totals, std::size_t open) {
  const bool is_news = totals.associations != reported_.associations || totals.images != reported_.images ||
                       totals.refused != reported_.refused || turned_away_ > 0;
  if (!is_news) return;
  outbox_.emit("metrics", std::nullopt,
               {{"counters",
                 {{"associations", totals.associations - reported_.associations},
                  {"associations_turned_away", turned_away_},
                  {"images", totals.images - reported_.images},
                  {"image_bytes", totals.bytes - reported_.bytes},
                  {"images_refused", totals.refused - reported_.refused},
                  {"images_quarantined", totals.quarantined - reported_.quarantined}}},
                {"gauges", {{"associations_open", open}}}});
  reported_ = totals;
  turned_away_ = 0;
}

}  // namespace mercure::receive
