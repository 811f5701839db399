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
std::string new_id();

}  // namespace mercure

#endif
