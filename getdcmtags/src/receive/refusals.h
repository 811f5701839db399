// What the receiver refuses while associations are negotiated, told by sender and kind and not by connection: a flood of refusals
// costs a row and a line a minute, and a sender that proposes in each association what is not taken a few an hour.
#ifndef MERCURE_RECEIVE_REFUSALS_H
#define MERCURE_RECEIVE_REFUSALS_H

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "json.h"
#include "outbox.h"
#include "receive/sender.h"

namespace mercure::receive {

struct Refusal {
  // Of the whole association, or of one presentation context of one that was let in.
  enum class What : std::uint8_t { association, abstract_syntax, transfer_syntaxes, role };

  What what = What::association;
  Sender sender;
  std::string reason;
  std::string kind = {};             // of an association: what is counted together; empty: the reason
  std::string abstract_syntax = {};  // of a context, and what was proposed first for it
  std::string transfer_syntax = {};
  Json held = nullptr;  // of a caller over a limit: how many places each address has
};

// The first refusal of a kind is told at once, those that follow within a minute (of a context: an hour) at its end, as one with
// their number.
class Refusals {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Refusals(Outbox& outbox) : outbox_(outbox) {}

  // `times`: how many of it there were.
  void add(Refusal refusal, Clock::time_point now, std::uint64_t times = 1);

  // Tells what was added to minutes that have ended.
  void work(Clock::time_point now);

  // Tells all that has not been told yet.
  void finish();

 private:
  using Key = std::tuple<std::string, std::string, std::string, Refusal::What>;

  struct Entry {
    Refusal refusal;
    std::uint64_t unreported = 0;
    Clock::time_point until;
  };

  Key key_for(Refusal& refusal) const;
  void emit(const Refusal& refusal, std::uint64_t times);

  Outbox& outbox_;
  std::map<Key, Entry> entries_;
};

}  // namespace mercure::receive

#endif
