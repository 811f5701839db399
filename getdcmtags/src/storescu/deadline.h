// When waiting ends: the limit of the step under way, the limit of everything, and being told to stop.
#ifndef MERCURE_STORESCU_DEADLINE_H
#define MERCURE_STORESCU_DEADLINE_H

#include <atomic>
#include <chrono>
#include <optional>

#include "storescu/options.h"

namespace mercure::storescu {

using Clock = std::chrono::steady_clock;

// Being told to stop, by SIGTERM or SIGINT. One for the process; any thread may look.
class Stop {
 public:
  // How long an image under way may still take, so that its result is known and nothing is sent twice.
  static constexpr std::chrono::seconds kGrace{5};

  // Installs the signal handlers.
  static void install();

  // As if a signal had come.
  static void request();

  static bool requested();

  // Readable from the request on.
  static int descriptor();

  static Clock::time_point end_of_grace();
};

// The waiting of one association; for its thread alone.
class Deadline {
 public:
  enum class Expiry { step, total, stopped };

  explicit Deadline(Clock::time_point total) : step_(total), total_(total) {}

  // A new step begins that may take `most`.
  void begin(Seconds most) { step_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(most); }

  // What has passed at this moment, if anything has.
  std::optional<Expiry> expired() const;

  // For poll(2): until the first limit, at least one.
  int milliseconds_left() const;

 private:
  Clock::time_point earliest() const;

  Clock::time_point step_;
  Clock::time_point total_;
};

}  // namespace mercure::storescu

#endif
