// What senders with quotas have used of them, counted over all of their associations, each of which is a process of its own.
#ifndef MERCURE_RECEIVE_QUOTA_USE_H
#define MERCURE_RECEIVE_QUOTA_USE_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "receive/known_senders.h"
#include "receive/shared_memory.h"

namespace mercure::receive {

// Most of a quota is used: the first step, before anything is refused.
struct QuotaWarning {
  std::string quota;  // the setting
  std::int64_t limit;
};

struct QuotaVerdict {
  std::string excess;  // why the next image is refused; empty: it is not
  std::vector<QuotaWarning> warnings;
};

// Counters of one sender. They begin at nothing when the receiver starts, but for the bytes of the day (quota_note.h).
struct QuotaCounters {
  std::atomic<std::int64_t> associations{0};
  std::atomic<std::int64_t> day{0};  // of UTC, since 1970: that of `bytes`
  std::atomic<std::int64_t> bytes{0};
  std::atomic<std::int64_t> warned_day{-1};
  // When the images so far would have come if they had come at the quota's rate, in nanoseconds of the steady clock.
  std::atomic<std::int64_t> rate_time{0};
  std::atomic<std::int64_t> warned_rate{0};  // until then
};

// The quotas of one sender, applied to its counters.
class QuotaUse {
 public:
  using Clock = std::chrono::steady_clock;
  using Wall = std::chrono::system_clock;

  // `counters` outlives this.
  QuotaUse(Quotas quotas, QuotaCounters& counters) : quotas_(quotas), counters_(counters) {}

  // Counts an association; false, and nothing is counted, when there are as many as may be.
  bool enter();
  void leave();

  // Judges the next image, and counts it for the rate when it is taken.
  QuotaVerdict ask(Clock::time_point now = Clock::now(), Wall::time_point wall = Wall::now());

  // Counts the bytes of an image that was kept.
  void count(std::uint64_t bytes, Wall::time_point wall = Wall::now());

 private:
  bool is_within_day(Wall::time_point wall, QuotaVerdict& verdict);
  bool is_within_rate(Clock::time_point now, QuotaVerdict& verdict);
  void begin_day(std::int64_t day);

  Quotas quotas_;
  QuotaCounters& counters_;
};

// Bytes that were kept of a sender within a day of UTC, which is counted since 1970.
struct DayUse {
  std::int64_t day = 0;
  std::int64_t bytes = 0;
};

// The counters of all senders that have quotas.
class AllQuotaCounters {
 public:
  // Makes counters for the senders that are new. Throws std::system_error.
  explicit AllQuotaCounters(const std::vector<KnownSender>& senders) { add(senders); }
  void add(const std::vector<KnownSender>& senders);

  // The bytes of their day, of those that have any.
  std::map<std::string, DayUse> used() const;

  // Adds what was noted of a sender before; of one that has no quotas it is forgotten.
  void restore(const std::string& name, const DayUse& use) const;

  // Null: the sender has no quotas.
  QuotaCounters* find(const std::string& name) const;

 private:
  std::map<std::string, SharedMemory<QuotaCounters>> counters_;
};

}  // namespace mercure::receive

#endif
