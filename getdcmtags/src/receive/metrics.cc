#include "receive/metrics.h"

#include <optional>

namespace mercure::receive {

void Metrics::report(const Totals& totals, std::size_t open, Clock::time_point now) {
  if (now < next_) return;
  next_ = now + kPeriod;
  tell(totals, open);
}

void Metrics::tell(const Totals& totals, std::size_t open) {
  const bool is_news = totals.associations != told_.associations || totals.images != told_.images ||
                       totals.refused != told_.refused || turned_away_ > 0;
  if (!is_news) return;
  outbox_.emit("metrics", std::nullopt,
               {{"counters",
                 {{"associations", totals.associations - told_.associations},
                  {"associations_turned_away", turned_away_},
                  {"images", totals.images - told_.images},
                  {"image_bytes", totals.bytes - told_.bytes},
                  {"images_refused", totals.refused - told_.refused},
                  {"images_quarantined", totals.quarantined - told_.quarantined}}},
                {"gauges", {{"associations_open", open}}}});
  told_ = totals;
  turned_away_ = 0;
}

}  // namespace mercure::receive
