#include "receive/refusals.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "receive/log.h"

namespace mercure::receive {

namespace {

constexpr auto kPeriod = std::chrono::minutes(1);
constexpr auto kLongPeriod = std::chrono::hours(1);

// The most kinds counted apart at the same time: of one address, and of all. Further ones are counted as one, without AE titles.
constexpr std::ptrdiff_t kMostOfAnAddress = 50;
constexpr std::size_t kMost = 1'000;
constexpr char kMore[] = "more than can be told apart";

Refusals::Clock::duration period_of(const Refusal& refusal) {
  const bool is_long = refusal.is_lasting || refusal.what != Refusal::What::association;
  return is_long ? Refusals::Clock::duration(kLongPeriod) : kPeriod;
}

std::string text_of(Refusal::What what) {
  switch (what) {
    case Refusal::What::abstract_syntax: return "abstract syntax";
    case Refusal::What::transfer_syntaxes: return "transfer syntaxes";
    case Refusal::What::role: return "role";
    case Refusal::What::association: break;
  }
  return "association";
}

}  // namespace

Refusals::Key Refusals::key_for(Refusal& refusal) const {
  const std::string& address = refusal.sender.address;
  const std::string& kind = refusal.what != Refusal::What::association ? refusal.abstract_syntax
                            : refusal.kind.empty()                     ? refusal.reason
                                                                       : refusal.kind;
  const std::string title = refusal.kind.empty() ? refusal.sender.calling_aet : std::string();
  const Key key{address, title, kind, refusal.what};
  if (entries_.contains(key)) return key;
  const auto first = entries_.lower_bound(Key{address, "", "", Refusal::What::association});
  const auto last = std::find_if(first, entries_.end(), [&](const auto& entry) { return std::get<0>(entry.first) != address; });
  const bool is_one_too_many = entries_.size() >= kMost;
  if (!is_one_too_many && std::distance(first, last) < kMostOfAnAddress) return key;
  refusal.sender = {"", is_one_too_many ? "" : address, "", ""};
  refusal.abstract_syntax.clear();
  refusal.transfer_syntax.clear();
  refusal.what = Refusal::What::association;
  return {refusal.sender.address, "", kMore, refusal.what};
}

void Refusals::add(Refusal refusal, Clock::time_point now, std::uint64_t times) {
  const Key key = key_for(refusal);
  const auto [found, is_new] = entries_.try_emplace(key);
  Entry& entry = found->second;
  entry.refusal = std::move(refusal);
  if (!is_new) {
    entry.unreported += times;
    return;
  }
  entry.until = now + period_of(entry.refusal);
  emit(entry.refusal, times);
}

void Refusals::work(Clock::time_point now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    Entry& known = entry->second;
    if (now < known.until) {
      ++entry;
    } else if (known.unreported == 0) {
      entry = entries_.erase(entry);
    } else {
      emit(known.refusal, std::exchange(known.unreported, 0));
      known.until = now + period_of(known.refusal);
      ++entry;
    }
  }
}

void Refusals::finish() {
  for (auto& [key, entry] : entries_) {
    if (entry.unreported > 0) emit(entry.refusal, entry.unreported);
  }
  entries_.clear();
}

void Refusals::emit(const Refusal& refusal, std::uint64_t times) {
  const bool is_whole = refusal.what == Refusal::What::association;
  Json details = {{"address", refusal.sender.address},
                  {"calling_aet", refusal.sender.calling_aet},
                  {"called_aet", refusal.sender.called_aet},
                  {"reason", refusal.reason},
                  {"times", times}};
  if (!refusal.held.is_null()) details["held"] = refusal.held;
  if (!is_whole) {
    details["what"] = text_of(refusal.what);
    details["abstract_syntax"] = refusal.abstract_syntax;
    details["transfer_syntax"] = refusal.transfer_syntax;
  }
  log::warning(is_whole ? "an association was refused" : "a presentation context was refused", details);
  outbox_.emit(is_whole ? "association.refused" : "context.refused", std::nullopt, details);
}

}  // namespace mercure::receive
