// What senders have used of their bytes of the day, noted in `state/quota-use.json`: a restart of the receiver does not begin the day
// anew.
#ifndef MERCURE_RECEIVE_QUOTA_NOTE_H
#define MERCURE_RECEIVE_QUOTA_NOTE_H

#include <string>

#include "receive/quota_use.h"

namespace mercure::receive {

// The file is a hint, written without a sync: a missing or damaged one says nothing, and a power cut may take it.
class QuotaNote {
 public:
  // `spool` is the path of the spool.
  explicit QuotaNote(const std::string& spool);

  // Gives the counters what is noted of the present day, and of another one for what it is worth: the first image of a day begins anew.
  void restore(const AllQuotaCounters& counters);

  // Notes what the counters say, where that is something new.
  void keep(const AllQuotaCounters& counters);

  // The same, unless another receiver has begun to keep the note: the one that took the port over.
  void finish(const AllQuotaCounters& counters);

 private:
  void write(const std::string& line);

  std::string folder_;
  std::string path_;
  std::string noted_;         // the line that this receiver read or wrote last
  bool was_told_ = false;     // that it cannot be written
};

}  // namespace mercure::receive

#endif
