// The report on standard output: a line for each image as soon as its result is known, and a summary at the end.
#ifndef MERCURE_STORESCU_REPORT_H
#define MERCURE_STORESCU_REPORT_H

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dimse/tls.h"
#include "storescu/deadline.h"
#include "storescu/image.h"
#include "storescu/outcome.h"

namespace mercure::storescu {

// For any thread. After finish() nothing more is written.
class Report {
 public:
  explicit Report(const std::vector<Image>& images) : images_(images), told_(images.size(), false) {}

  // The result of the n-th image, which took so long. An image has one result; a second is ignored.
  void tell(std::size_t place, const Result& result, Seconds seconds);

  void association_opened();

  // Over TLS: who answered.
  void answered_by(const dimse::TlsPeer& peer);

  // Reports the remaining images as not sent, then the summary. Returns the exit code of the program.
  int finish(const std::optional<Problem>& error);

  // Standard output cannot be written, so results of further images would be lost.
  bool is_broken();

 private:
  void write_line(std::string line);
  void tell_locked(std::size_t place, const Result& result, Seconds seconds);
  std::string summary(const std::optional<Problem>& error) const;
  int exit_code(const std::optional<Problem>& error) const;
  std::size_t count(Outcome outcome) const { return counts_[static_cast<std::size_t>(outcome)]; }

  std::mutex mutex_;
  const std::vector<Image>& images_;
  std::vector<bool> told_;
  std::array<std::size_t, kOutcomes> counts_{};
  bool altered_ = false;  // an image was not sent because it is not what was received
  std::size_t unusable_ = 0;  // not sent because of the file itself
  std::size_t associations_ = 0;
  std::optional<dimse::TlsPeer> peer_;
  Clock::time_point start_ = Clock::now();
  bool finished_ = false;
  bool broken_ = false;
};

}  // namespace mercure::storescu

#endif
