// The association processes of the server: their senders, their number, and the clean-up when one has ended.
#ifndef MERCURE_RECEIVE_CHILDREN_H
#define MERCURE_RECEIVE_CHILDREN_H

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "outbox.h"
#include "receive/config.h"
#include "receive/layout.h"
#include "receive/progress.h"
#include "receive/quota_use.h"
#include "receive/refusals.h"
#include "receive/sender.h"
#include "receive/unable_senders.h"

namespace mercure::receive {

// What all associations together have done; for the metrics.
struct Totals {
  std::uint64_t associations = 0;
  std::uint64_t images = 0;
  std::uint64_t bytes = 0;
  std::uint64_t refused = 0;
  std::uint64_t quarantined = 0;

  void add(const Progress& progress);
};

class Children {
 public:
  Children(const Config& config, const Layout& layout, Outbox& outbox, Refusals& refusals, UnableSenders& unable,
           const AllQuotaCounters& quotas)
      : config_(config), layout_(layout), outbox_(outbox), refusals_(refusals), unable_(unable), quotas_(quotas) {}

  void add(pid_t pid, Sender sender, SharedProgress progress);

  std::size_t count() const { return children_.size(); }

  // Places taken, in all and by an address. An association that was asked to end holds none any more.
  std::size_t places() const { return children_.size() - leaving_; }
  std::size_t places_of(const std::string& address) const;
  const std::map<std::string, std::size_t>& holders() const { return by_address_; }

  // Asks the longest idle association of the address with most places to end, if that address has more than `address` would have.
  // False when there is none, or when too many are ending already.
  bool make_room_for(const std::string& address);

  // Asks associations to end that have been idle for so long and are not the only one of their address.
  void let_idle_go(std::chrono::nanoseconds idle);

  // Addresses that have sent images lately.
  bool is_known(const std::string& address) const;
  std::size_t known_without_place() const;

  // Collects the processes that have ended. For those that died it removes their folder and emits their last events.
  void reap();

  // Collects the refused presentation contexts of running associations.
  void collect_refusals();

  // Asks all to end within their stop limit.
  void ask_to_stop() const;

  // Kills all.
  void kill();

  // Totals of all associations, ended and running.
  Totals totals() const;

 private:
  struct Child {
    Sender sender;
    SharedProgress progress;
    std::chrono::steady_clock::time_point start;
    bool is_killed = false;
    bool is_leaving = false;
    std::uint64_t collected_contexts = 0;
  };

  void ended(Child& child, int status);
  void died(Child& child, int status);
  void collect_refused_contexts(Child& child);
  void emit_inability(const Child& child);
  void give_back_quota(const std::string& name);
  void give_up_place(const std::string& address);
  void ask_to_go(pid_t pid, Child& child);
  void remember(const std::string& address);
  void rescue_part(const Child& child, const std::string& cause);
  void emit_end(const Child& child, const std::string& cause);

  const Config& config_;
  const Layout& layout_;
  Outbox& outbox_;
  Refusals& refusals_;
  UnableSenders& unable_;
  const AllQuotaCounters& quotas_;
  std::map<pid_t, Child> children_;
  std::map<std::string, std::size_t> by_address_;
  std::size_t leaving_ = 0;
  std::deque<std::string> known_;  // the latest last
  Totals ended_;
};

}  // namespace mercure::receive

#endif
