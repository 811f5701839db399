// Refusals during negotiation, reported by sender and kind instead of by connection: a flood of refusals costs one row and one log
// line a minute, and a sender that the configuration refuses, or one of its contexts, costs a few an hour.
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
  // The whole association, or one presentation context of an accepted one.
  enum class What : std::uint8_t { association, abstract_syntax, transfer_syntaxes, role };

  What what = What::association;
  Sender sender;
  std::string reason;
  std::string kind = {};             // of an association: refusals of one kind are counted together; empty: the reason
  std::string abstract_syntax = {};  // of a context, with the first syntax proposed for it
  std::string transfer_syntax = {};
  bool is_lasting = false;           // by the configuration: a caller who comes again is refused again, and told of once an hour
  Json held = nullptr;  // of a caller over a limit: how many places each address has
};

// The first refusal of a kind is reported at once. Those that follow within a minute (of a context, or by the configuration: an hour) are reported at its end
// as one, with their number.
class Refusals {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Refusals(Outbox& outbox) : outbox_(outbox) {}

  // `times`: how many of it there were.
  void add(Refusal refusal, Clock::time_point now, std::uint64_t times = 1);

  // Reports the refusals of minutes that have ended.
  void work(Clock::time_point now);

  // Reports all that is left.
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
