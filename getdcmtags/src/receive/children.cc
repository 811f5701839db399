#include "receive/children.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "durable.h"
#include "receive/association_folder.h"
#include "receive/image_events.h"
#include "receive/log.h"
#include "receive/quarantine.h"
#include "receive/stop_request.h"

namespace mercure::receive {

namespace {

// So many are on their way out at the same time: more processes than places, for a moment.
constexpr std::size_t kMostLeaving = 16;
constexpr std::size_t kMostKnown = 256;

std::string reason_of(Refusal::What what) {
  switch (what) {
    case Refusal::What::abstract_syntax: return "the SOP class is not taken";
    case Refusal::What::transfer_syntaxes: return "none of the transfer syntaxes is taken";
    case Refusal::What::role: return "the receiver takes images, and sends none on this association";
    case Refusal::What::association: break;
  }
  return {};
}

}  // namespace

void Totals::add(const Progress& progress) {
  images += progress.images;
  bytes += progress.bytes;
  refused += progress.refused;
  quarantined += progress.quarantined;
}

void Children::add(pid_t pid, Sender sender, SharedProgress progress) {
  ++ended_.associations;
  ++by_address_[sender.address];
  progress->last_pdu = std::chrono::steady_clock::now().time_since_epoch().count();
  children_.emplace(pid, Child{std::move(sender), std::move(progress), std::chrono::steady_clock::now()});
}

std::size_t Children::places_of(const std::string& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? 0 : found->second;
}

void Children::give_up_place(const std::string& address) {
  if (--by_address_[address] == 0) by_address_.erase(address);
}

void Children::ask_to_go(pid_t pid, Child& child) {
  child.is_leaving = true;
  ++leaving_;
  give_up_place(child.sender.address);
  child.progress->place_is_wanted = true;
  ::kill(pid, stop_request::kSignal);
}

bool Children::make_room_for(const std::string& address) {
  const auto most = std::max_element(by_address_.begin(), by_address_.end(),
                                     [](const auto& one, const auto& other) { return one.second < other.second; });
  if (leaving_ >= kMostLeaving || most == by_address_.end() || most->second <= places_of(address) + 1) return false;
  auto longest = children_.end();
  for (auto child = children_.begin(); child != children_.end(); ++child) {
    if (child->second.is_leaving || child->second.sender.address != most->first) continue;
    const bool is_longer = longest == children_.end() || child->second.progress->last_pdu < longest->second.progress->last_pdu;
    if (is_longer) longest = child;
  }
  if (longest == children_.end()) return false;
  ask_to_go(longest->first, longest->second);
  return true;
}

void Children::let_idle_go(std::chrono::nanoseconds idle) {
  const auto before = (std::chrono::steady_clock::now() - idle).time_since_epoch().count();
  for (auto& [pid, child] : children_) {
    if (child.is_leaving || leaving_ >= kMostLeaving || places_of(child.sender.address) < 2) continue;
    if (child.progress->last_pdu < before) ask_to_go(pid, child);
  }
}

bool Children::is_known(const std::string& address) const {
  return std::find(known_.begin(), known_.end(), address) != known_.end();
}

std::size_t Children::known_without_place() const {
  return static_cast<std::size_t>(
      std::count_if(known_.begin(), known_.end(), [&](const std::string& address) { return places_of(address) == 0; }));
}

void Children::remember(const std::string& address) {
  if (!known_.empty() && known_.back() == address) return;
  std::erase(known_, address);
  known_.push_back(address);
  if (known_.size() > kMostKnown) known_.pop_front();
}

void Children::give_back_quota(const std::string& name) {
  if (QuotaCounters* counters = quotas_.find(name)) QuotaUse({}, *counters).leave();
}

void Children::emit_inability(const Child& child) {
  const Progress& progress = *child.progress;
  if (!progress.could_not_send || !unable_.add(child.sender)) return;
  const Json details = {{"association", child.sender.association},
                        {"address", child.sender.address},
                        {"calling_aet", child.sender.calling_aet},
                        {"called_aet", child.sender.called_aet},
                        {"abstract_syntax", progress.unsent_class.get()},
                        {"transfer_syntax", progress.unsent_syntax.get()}};
  log::warning("a sender could not send in the compressed transfer syntax that it proposed; it gets an uncompressed one now", details);
  outbox_.emit("sender.uncompressed", std::nullopt, details);
}

void Children::reap() {
  int status = 0;
  while (true) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    auto found = children_.find(pid);
    if (found == children_.end()) continue;
    ended(found->second, status);
    children_.erase(found);
  }
}

void Children::ended(Child& child, int status) {
  Sender& sender = child.sender;
  const Progress& progress = *child.progress;
  sender.calling_aet = progress.calling_aet.get();
  sender.called_aet = progress.called_aet.get();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) died(child, status);
  collect_refused_contexts(child);
  emit_inability(child);
  if (progress.images > 0) remember(sender.address);
  if (child.progress->is_counted.exchange(false)) give_back_quota(progress.sender_name.get());
  if (progress.was_refused) {
    refusals_.add({.sender = sender, .reason = progress.refusal.get(), .kind = progress.refusal_kind.get(), .is_lasting = progress.is_refused_for_long}, Refusals::Clock::now());
  }
  // What is still there was never acknowledged, and the sender has it.
  const std::string folder = layout_.receiving + '/' + sender.association;
  if (access(folder.c_str(), F_OK) == 0) remove_association_folder(layout_.receiving, sender.association);
  ended_.add(progress);
  child.is_leaving ? static_cast<void>(--leaving_) : give_up_place(sender.address);
}

void Children::collect_refusals() {
  for (auto& [pid, child] : children_) collect_refused_contexts(child);
}

void Children::collect_refused_contexts(Child& child) {
  const Progress& progress = *child.progress;
  for (const std::uint64_t count = progress.refused_contexts; child.collected_contexts < count; ++child.collected_contexts) {
    const Progress::Context& context = progress.contexts[child.collected_contexts];
    const Sender sender{child.sender.association, child.sender.address, progress.calling_aet.get(), progress.called_aet.get()};
    refusals_.add({.what = context.what,
                   .sender = sender,
                   .reason = reason_of(context.what),
                   .abstract_syntax = context.abstract_syntax.get(),
                   .transfer_syntax = context.transfer_syntax.get()},
                  Refusals::Clock::now());
  }
}

void Children::died(Child& child, int status) {
  const std::string cause = WIFSIGNALED(status) ? std::string("signal ") + strsignal(WTERMSIG(status))
                                                : "exit code " + std::to_string(WEXITSTATUS(status));
  log::error(child.is_killed ? "an association process had to be killed" : "an association process crashed",
             {{"association", child.sender.association},
              {"address", child.sender.address},
              {"calling_aet", child.sender.calling_aet},
              {"cause", cause}});
  if (WIFSIGNALED(status) && child.progress->phase == Progress::Phase::reading) rescue_part(child, cause);
  emit_end(child, cause);
}

void Children::rescue_part(const Child& child, const std::string& cause) {
  const Progress& progress = *child.progress;
  const std::string part = layout_.receiving + '/' + child.sender.association + '/' + progress.part.get();
  struct stat state {};
  if (stat(part.c_str(), &state) != 0) return;
  const Unreadable object{progress.image.get(),       "crashed while reading (" + cause + ")",
                          static_cast<std::uint64_t>(state.st_size), progress.sop_class.get(),
                          progress.sop_instance.get(), progress.transfer_syntax.get()};
  Quarantined kept;
  try {
    kept = quarantine_part(layout_, config_.quarantine, part, object, child.sender);
  } catch (const durable::StepError& error) {
    kept.not_kept = error.what();
  }
  if (kept.entry.empty()) {
    log::error("an object that crashed its reader could not be kept in quarantine",
               {{"association", child.sender.association}, {"reason", kept.not_kept}});
    return;
  }
  ++ended_.quarantined;
  emit_quarantined(outbox_, child.sender, object, kept);
}

void Children::emit_end(const Child& child, const std::string& cause) {
  const Sender& sender = child.sender;
  const Progress& progress = *child.progress;
  if (!progress.opened) {
    refusals_.add({.sender = sender, .reason = "the process of the association ended by " + cause}, Refusals::Clock::now());
    return;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - child.start;
  outbox_.emit("association.closed", std::nullopt,
               {{"association", sender.association},
                {"address", sender.address},
                {"calling_aet", sender.calling_aet},
                {"called_aet", sender.called_aet},
                {"how", child.is_killed ? "aborted" : "crashed"},
                {"images", progress.images.load()},
                {"bytes", progress.bytes.load()},
                {"refused", progress.refused.load()},
                {"seconds", seconds.count()}});
}

void Children::ask_to_stop() const {
  for (const auto& [pid, child] : children_) ::kill(pid, stop_request::kSignal);
}

void Children::kill() {
  for (auto& [pid, child] : children_) {
    child.is_killed = true;
    ::kill(pid, SIGKILL);
  }
}

Totals Children::totals() const {
  Totals totals = ended_;
  for (const auto& [pid, child] : children_) totals.add(*child.progress);
  return totals;
}

}  // namespace mercure::receive
