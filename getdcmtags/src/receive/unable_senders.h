// Senders that proposed compressed and uncompressed syntaxes in one presentation context, and then could not send in the compressed
// one: remembered in `state/unable-senders.json`, so that they are given the uncompressed one the next time.
#ifndef MERCURE_RECEIVE_UNABLE_SENDERS_H
#define MERCURE_RECEIVE_UNABLE_SENDERS_H

#include <string>
#include <utility>
#include <vector>

#include "receive/sender.h"

namespace mercure::receive {

// The file is a hint: a missing or damaged one is empty, and one that cannot be written is only kept in memory.
class UnableSenders {
 public:
  // `spool` is the path of the spool.
  explicit UnableSenders(const std::string& spool);

  bool contains(const Sender& sender) const;

  // Remembers a sender by AE title and address, in place of the oldest. Returns true if it is new.
  bool add(const Sender& sender);

 private:
  void load();
  void save() const;

  std::string folder_;
  std::string path_;
  std::vector<std::pair<std::string, std::string>> senders_;  // AE title and address, the oldest first
};

}  // namespace mercure::receive

#endif
