#include "receive/quota_use.h"

#include <algorithm>

namespace mercure::receive {

namespace {

// Images may come faster than the quota for a while: it is counted over so long.
constexpr std::chrono::nanoseconds kRatePeriod = std::chrono::minutes(1);
constexpr std::chrono::nanoseconds kRateWarningPeriod = std::chrono::hours(1);
constexpr std::int64_t kWarnAtPercent = 80;

std::int64_t day_of(QuotaUse::Wall::time_point wall) { return std::chrono::floor<std::chrono::days>(wall).time_since_epoch().count(); }

std::int64_t nanoseconds(std::chrono::nanoseconds time) { return time.count(); }

// Of a quota that may be as large as the type: no product of it fits.
std::int64_t most_of(std::int64_t limit) { return limit - limit / 100 * (100 - kWarnAtPercent); }

}  // namespace

bool QuotaUse::enter() {
  const std::int64_t before = counters_.associations.fetch_add(1);
  if (!quotas_.associations || before < *quotas_.associations) return true;
  leave();
  return false;
}

void QuotaUse::leave() { --counters_.associations; }

QuotaVerdict QuotaUse::ask(Clock::time_point now, Wall::time_point wall) {
  QuotaVerdict verdict;
  // An image that the day refuses is not counted for the rate.
  if (is_within_day(wall, verdict)) is_within_rate(now, verdict);
  return verdict;
}

void QuotaUse::begin_day(std::int64_t day) {
  std::int64_t before = counters_.day;
  if (before != day && counters_.day.compare_exchange_strong(before, day)) counters_.bytes = 0;
}

bool QuotaUse::is_within_day(Wall::time_point wall, QuotaVerdict& verdict) {
  if (!quotas_.bytes_per_day) return true;
  const std::int64_t day = day_of(wall);
  begin_day(day);
  const std::int64_t used = counters_.bytes;
  if (used >= *quotas_.bytes_per_day) {
    verdict.excess = "Quota exceeded: " + std::to_string(*quotas_.bytes_per_day) + " bytes a day";
    return false;
  }
  if (used >= most_of(*quotas_.bytes_per_day) && counters_.warned_day.exchange(day) != day) {
    verdict.warnings.push_back({"max_bytes_per_day", *quotas_.bytes_per_day});
  }
  return true;
}

bool QuotaUse::is_within_rate(Clock::time_point now, QuotaVerdict& verdict) {
  if (!quotas_.images_per_second) return true;
  const std::int64_t time = nanoseconds(now.time_since_epoch());
  const std::int64_t step = nanoseconds(std::chrono::seconds(1)) / *quotas_.images_per_second;
  std::int64_t before = counters_.rate_time;
  std::int64_t after = 0;
  do {
    after = std::max(before, time) + step;
    if (after - time > nanoseconds(kRatePeriod)) {
      verdict.excess = "Quota exceeded: " + std::to_string(*quotas_.images_per_second) + " images a second";
      return false;
    }
  } while (!counters_.rate_time.compare_exchange_weak(before, after));
  if ((after - time) / kWarnAtPercent < nanoseconds(kRatePeriod) / 100 || time < counters_.warned_rate) return true;
  counters_.warned_rate = time + nanoseconds(kRateWarningPeriod);
  verdict.warnings.push_back({"max_images_per_second", *quotas_.images_per_second});
  return true;
}

void QuotaUse::count(std::uint64_t bytes, Wall::time_point wall) {
  begin_day(day_of(wall));
  counters_.bytes += static_cast<std::int64_t>(bytes);
}

void AllQuotaCounters::add(const std::vector<KnownSender>& senders) {
  for (const KnownSender& sender : senders) {
    if (!sender.quotas.is_empty()) counters_.try_emplace(sender.name);
  }
}

std::map<std::string, DayUse> AllQuotaCounters::used() const {
  std::map<std::string, DayUse> found;
  for (const auto& [name, counters] : counters_) {
    if (counters->bytes > 0) found[name] = {counters->day, counters->bytes};
  }
  return found;
}

void AllQuotaCounters::restore(const std::string& name, const DayUse& use) const {
  QuotaCounters* counters = use.bytes > 0 ? find(name) : nullptr;
  if (counters == nullptr) return;
  counters->day = use.day;
  counters->bytes = use.bytes;
}

QuotaCounters* AllQuotaCounters::find(const std::string& name) const {
  const auto found = counters_.find(name);
  return found == counters_.end() ? nullptr : &*found->second;
}

}  // namespace mercure::receive
