// Identifiers and instants as docs/reference/spool.md writes them. The Python twin is mercure/names.py.
#ifndef MERCURE_IDS_H
#define MERCURE_IDS_H

#include <string>

namespace mercure {

// One reading of the clock, for an id and the time beside it that must not disagree.
struct Instant {
  long long seconds = 0;  // since 1970, UTC
  int microseconds = 0;

  static Instant now();

  // ISO 8601 in UTC with microseconds and Z: 2026-11-21T02:06:12.123456Z.
  std::string text() const;
};

// YYYYMMDDTHHMMSSffffff-RRRRRRRR: sorts by time, and 32 random bits keep apart what happens in one microsecond.
std::string new_id(const Instant& at);

// An id of now, later than all that this process, and those forked since `order_ids`, made: also when the clock goes back.
std::string new_id();

// Has the ids of this process and of its children to come stay in one order. `shown` are the latest seconds since 1970 that
// the wall clock is known to have shown, 0 for none: where it shows less now, ids go on after that.
void order_ids(double shown);

// Has ids go on after an instant (microseconds since 1970), too.
void go_on_after(long long instant);

// The instant of the newest id; before the first one, what ids go on after.
long long newest_id();

// Whether an instant can be one of a clock.
bool believed(long long instant);

// Reads from `state/clock/uptime.json` of a spool (docs/reference/spool.md, "Time lived through") what `order_ids` wants.
double latest_shown(const std::string& spool);

}  // namespace mercure

#endif
