#include "receive/deadlines.h"

#include <algorithm>

#include "receive/stop_request.h"

namespace mercure::receive {

namespace {

// An association whose place is wanted ends after such a pause, and after such a time at the latest.
constexpr auto kPause = std::chrono::milliseconds(500);
constexpr auto kTimeToGo = std::chrono::seconds(3);

}  // namespace

Deadlines::Deadlines(const Limits& limits, Clock::time_point start) : limits_(limits), start_(start), last_pdu_(start) {}

void Deadlines::established(Clock::time_point now) {
  established_ = true;
  progress(now);
}

void Deadlines::progress(Clock::time_point now) {
  last_pdu_ = now;
  if (shown_ != nullptr) *shown_ = now.time_since_epoch().count();
}

void Deadlines::show(std::atomic<std::int64_t>& last_pdu) {
  shown_ = &last_pdu;
  progress(last_pdu_);
}

void Deadlines::place_wanted(Clock::time_point now) {
  if (!wanted_) wanted_ = now;
}

void Deadlines::stop_requested(Clock::time_point now) {
  if (!stop_) stop_ = now;
}

Deadlines::Deadline Deadlines::next() const {
  Deadline first = established_ ? Deadline{Limit::idle, last_pdu_ + limits_.idle} : Deadline{Limit::acse, start_ + limits_.acse};
  const auto earlier = [&first](Limit limit, Clock::time_point at) {
    if (at < first.at) first = {limit, at};
  };
  if (limits_.total.count() > 0) earlier(Limit::total, start_ + limits_.total);
  if (wanted_) earlier(Limit::place, std::min(*wanted_ + kTimeToGo, last_pdu_ + kPause));
  if (stop_) earlier(Limit::stop, *stop_ + limits_.stop);
  return first;
}

std::optional<Deadlines::Limit> Deadlines::expired(Clock::time_point now) const {
  const Deadline deadline = next();
  if (now < deadline.at) return std::nullopt;
  return deadline.limit;
}

bool Deadlines::passed() {
  const auto now = Clock::now();
  if (stop_request::is_made()) is_wanted_ != nullptr && *is_wanted_ ? place_wanted(now) : stop_requested(now);
  if (!ended_by_) ended_by_ = expired(now);
  return ended_by_.has_value();
}

int Deadlines::wake_descriptor() const { return is_stopping() ? -1 : stop_request::descriptor(); }

int Deadlines::milliseconds_left(Clock::time_point now) const {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(next().at - now);
  return static_cast<int>(std::clamp(left, milliseconds(0), milliseconds(std::chrono::hours(24))).count());
}

std::string text_of(Deadlines::Limit limit) {
  switch (limit) {
    case Deadlines::Limit::acse: return "no association request in time";
    case Deadlines::Limit::idle: return "idle for too long";
    case Deadlines::Limit::total: return "open for too long";
    case Deadlines::Limit::place: return "its place was needed for another sender";
    case Deadlines::Limit::stop: break;
  }
  return "the receiver is stopping";
}

}  // namespace mercure::receive
