// When waiting ends: the limit of the step under way, the limit of everything, and a request to stop.
#ifndef MERCURE_STORESCU_DEADLINE_H
#define MERCURE_STORESCU_DEADLINE_H

#include <atomic>
#include <chrono>
#include <optional>

#include "dimse/wait_limit.h"
#include "storescu/options.h"

namespace mercure::storescu {

using Clock = std::chrono::steady_clock;

// The request to stop, by SIGTERM or SIGINT. One for the process; any thread may look.
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

// The limits of one association; for its thread alone.
class Deadline final : public dimse::WaitLimit {
 public:
  enum class Expiry { step, total, stopped };

  explicit Deadline(Clock::time_point total) : step_(total), total_(total) {}

  // A new step begins that may take `most`.
  void begin(Seconds most) { step_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(most); }

  // From now on each sending of something begins a new step of this length: a long image on a slow line is no time-out.
  void allow_per_progress(std::optional<Seconds> most) { per_progress_ = most; }

  // What has passed at this moment, if anything has.
  std::optional<Expiry> expired() const;

  // What ended the last wait, if a limit did.
  std::optional<Expiry> ended_by() const { return ended_by_; }
  void forget() { ended_by_.reset(); }

  bool passed() override;
  int milliseconds_left() const override;  // at least one
  int wake_descriptor() const override;
  void bytes_sent() override {
    if (per_progress_) begin(*per_progress_);
  }

 private:
  Clock::time_point earliest() const;

  Clock::time_point step_;
  Clock::time_point total_;
  std::optional<Seconds> per_progress_;
  std::optional<Expiry> ended_by_;
};

}  // namespace mercure::storescu

#endif
