#include "receive/server.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "durable.h"
#include "ids.h"
#include "receive/association.h"
#include "receive/association_folder.h"
#include "receive/log.h"
#include "receive/spool_check.h"
#include "receive/stop_request.h"

namespace mercure::receive {

namespace {

constexpr auto kHousekeepingPeriod = std::chrono::seconds(2);
constexpr auto kKillGrace = std::chrono::seconds(5);  // beyond the limit in which associations end themselves
constexpr auto kPortTimeout = std::chrono::seconds(5);
constexpr auto kPortPause = std::chrono::milliseconds(50);
constexpr int kCallersAtOnce = 32;
constexpr std::size_t kReservedPart = 4;  // at most one place in so many is kept for senders that are known
constexpr std::size_t kHoldersTold = 10;
constexpr auto kIdleUnderStress = std::chrono::seconds(30);

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, stop_request::kSignal}) sigaddset(&set, signal);
  return set;
}

// Blocks the signals for good and gives a descriptor to read them from. The stop request is only blocked: a child must not get
// it before it has its handler.
Descriptor take_signals() {
  sigset_t set = watched_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  sigdelset(&set, stop_request::kSignal);
  Descriptor descriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw std::system_error(errno, std::generic_category(), "signalfd");
  return descriptor;
}

// The port is opened when the spool can take images, not before. The receiver before this one may be about to release the port;
// it gets a moment for that.
Listener open_listener(const Layout& layout, const Config& config) {
  prepare_spool(layout);
  const auto timeout_ends = std::chrono::steady_clock::now() + kPortTimeout;
  while (true) {
    try {
      if (!config.plain) return {};
      return Listener(config.bind, config.port);
    } catch (const std::system_error& error) {
      if (error.code().value() != EADDRINUSE || std::chrono::steady_clock::now() > timeout_ends) throw;
    }
    std::this_thread::sleep_for(kPortPause);
  }
}

// What a child of the server does first. When the server dies, the association ends as if the server had been stopped: each of
// its steps is safe, so the sender need not lose it at once, and nothing is left running for good.
void prepare_child(pid_t server) {
  for (const int signal_number : {SIGTERM, SIGINT, SIGHUP}) signal(signal_number, SIG_IGN);
  stop_request::listen();
  const sigset_t set = watched_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  prctl(PR_SET_PDEATHSIG, stop_request::kSignal);
  if (getppid() != server) raise(stop_request::kSignal);
  // When memory is short, this process is the one to go: it holds one association, and what it holds was not acknowledged.
  const Descriptor score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const auto written = write(score.get(), "500", 3);
}

}  // namespace

Server::Server(Config config, std::string config_path)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      layout_(config_.spool),
      ids_(config_.spool),
      outbox_(layout_.outbox, "receiver"),
      refusals_(outbox_),
      quotas_(config_.senders),
      quota_note_(config_.spool),
      unable_(config_.spool),
      children_(config_, layout_, outbox_, refusals_, unable_, quotas_),
      disk_(layout_.incoming, outbox_),
      metrics_(outbox_, Clock::now()),
      rejected_callers_([this](const Sender& sender, const std::string& reason) {
        refusals_.add({.sender = sender, .reason = reason, .held = holders()}, Clock::now());
      }),
      proxied_callers_([this](Caller caller) { take(std::move(caller), Clock::now()); },
                       [this](const Caller& caller, const std::string& reason) {
                         refusals_.add({.sender = {"", caller.address, "", ""}, .reason = reason}, Clock::now());
                       }),
      signals_(take_signals()),
      listener_(open_listener(layout_, config_)),
      tls_port_(outbox_),
      jail_(layout_),
      next_housekeeping_(Clock::now() + kHousekeepingPeriod) {}

void Server::run() {
  begin_ids();
  quota_note_.restore(quotas_);
  emit_started();
  clear();
  disk_.look(config_.min_free_bytes);
  while (!stopping_ || children_.count() > 0) {
    wait();
    children_.reap();
    const auto now = Clock::now();
    proxied_callers_.work(now);
    rejected_callers_.work(now);
    do_housekeeping(now);
  }
  refusals_.finish();
  ids_.keep();
  quota_note_.finish(quotas_);
  metrics_.finish(children_.totals());
  outbox_.emit("service.stopped", std::nullopt, {{"pid", getpid()}, {"version", MERCURE_VERSION}, {"reason", stop_reason_}});
  log::info("stopped", {{"reason", stop_reason_}});
}

void Server::begin_ids() {
  try {
    ids_.begin();
  } catch (const durable::StepError& error) {
    log::warning("the order of ids cannot be kept over the next restart", {{"reason", error.what()}});
  }
}

void Server::emit_started() {
  outbox_.emit("service.started", std::nullopt, {{"pid", getpid()}, {"version", MERCURE_VERSION}});
  if (config_.revision) outbox_.emit("config.loaded", std::nullopt, {{"revision", *config_.revision}});
  tls_port_.follow(config_);
  log::info("listening", {{"address", config_.bind},
                          {"port", config_.plain ? listener_.port() : tls_port_.listener().port()},
                          {"ae_title", config_.ae_title},
                          {"version", MERCURE_VERSION}});
}

void Server::clear() {
  const auto leftovers = clear_leftovers(layout_.receiving, [this](const std::string& association, unsigned parts) {
    const std::string what = "association " + association + " had died; " + std::to_string(parts) +
                             " unfinished objects, none of them acknowledged, were removed";
    log::warning("cleared after a crash", {{"association", association}, {"parts", parts}});
    outbox_.emit("spool.recovered", std::nullopt, {{"what", what}});
  });
  others_receive_ = leftovers.alive > children_.count();
}

void Server::wait() {
  std::vector<pollfd> set = {{signals_.get(), POLLIN, 0}, {wake_up_.descriptor(), POLLIN, 0}};
  const bool listening = !stopping_ && may_accept_;
  if (listening) {
    set.push_back({listener_.descriptor(), POLLIN, 0});
    set.push_back({tls_port_.listener().descriptor(), POLLIN, 0});
  }
  rejected_callers_.watch(set);
  proxied_callers_.watch(set);
  const bool somebody_waits = !rejected_callers_.is_empty() || !proxied_callers_.is_empty();
  const auto until = somebody_waits ? std::min(next_housekeeping_, Clock::now() + std::chrono::seconds(1)) : next_housekeeping_;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  if (poll(set.data(), set.size(), static_cast<int>(std::max<long long>(left, 0))) <= 0) return;
  if (set[0].revents != 0) handle_signals();
  if (set[1].revents != 0) {
    wake_up_.drain();
    children_.collect_refusals();
    disk_.look(config_.min_free_bytes);
  }
  if (listening && !stopping_ && set[2].revents != 0) take_callers(listener_, false);
  if (listening && !stopping_ && set[3].revents != 0) take_callers(tls_port_.listener(), true);
}

void Server::handle_signals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGHUP) reload();
    if (number == SIGTERM || number == SIGINT) stop(number);
  }
}

void Server::take_callers(const Listener& listener, bool is_tls) {
  try {
    for (int count = 0; count < kCallersAtOnce; ++count) {
      auto caller = listener.accept(is_tls);
      if (!caller) return;
      greet(std::move(*caller), Clock::now());
    }
  } catch (const std::system_error& error) {
    may_accept_ = false;
    log::error("callers must wait: the system has no descriptors left", {{"reason", error.what()}});
  }
}

// A header of the PROXY protocol from anybody else is what any other bytes are that ask for no association.
void Server::greet(Caller caller, Clock::time_point now) {
  const bool is_proxy = contains(config_.proxies, caller.address);
  is_proxy ? proxied_callers_.take(std::move(caller), now + config_.acse_timeout) : take(std::move(caller), now);
}

void Server::take(Caller caller, Clock::time_point now) {
  std::string reason = limit_reached(caller.address);
  if (!reason.empty()) {
    // The place of one that has just ended is free: a sender that goes and comes again at once is not refused for itself.
    children_.reap();
    reason = limit_reached(caller.address);
  }
  if (!reason.empty()) {
    reject_caller(std::move(caller), reason, now);
    return;
  }
  start_association(std::move(caller));
}

std::string Server::limit_reached(const std::string& address) {
  if (children_.places_of(address) >= config_.max_associations_per_sender) {
    return "too many associations at once from this sender: " + std::to_string(config_.max_associations_per_sender);
  }
  if (children_.places() < places_for(address)) return {};
  // The place of an association that has just ended is free: no other one has to end.
  children_.reap();
  if (children_.places() < places_for(address) || children_.make_room_for(address)) return {};
  return "too many associations at once: " + std::to_string(config_.max_associations);
}

// One place is reserved for each known sender that has none now, up to a part of all places.
std::size_t Server::places_for(const std::string& address) const {
  const std::size_t all = config_.max_associations;
  const auto& senders = config_.senders;
  const auto is_away = [&](const KnownSender& sender) {
    const auto& holders = children_.holders();
    return !sender.is_disabled && !sender.addresses.empty() && std::none_of(holders.begin(), holders.end(), [&](const auto& one) { return sender.sends_from(one.first); });
  };
  const bool is_known = children_.is_known(address) ||
                        std::any_of(senders.begin(), senders.end(), [&](const KnownSender& one) { return one.sends_from(address); });
  const bool has_room = children_.places() < all - all / kReservedPart;
  if (has_room || (is_known && children_.places_of(address) == 0)) return all;
  const auto away = static_cast<std::size_t>(std::count_if(senders.begin(), senders.end(), is_away));
  return all - std::min(all / kReservedPart, away + children_.known_without_place());
}

// The addresses with most places, with their number.
Json Server::holders() const {
  std::vector<std::pair<std::string, std::size_t>> list(children_.holders().begin(), children_.holders().end());
  std::stable_sort(list.begin(), list.end(), [](const auto& one, const auto& other) { return one.second > other.second; });
  Json held = Json::object();
  for (const auto& [address, places] : list) {
    if (held.size() < kHoldersTold) held[address] = places;
  }
  return held;
}

void Server::start_association(Caller caller) {
  const Sender sender{new_id(), caller.address, "", ""};
  try {
    SharedProgress progress;
    const pid_t server = getpid();
    const pid_t pid = fork();
    if (pid == 0) serve_in_child(std::move(caller), sender, progress, server);
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
    children_.add(pid, sender, std::move(progress));
  } catch (const std::system_error& error) {
    log::error("no process for an association", {{"address", sender.address}, {"reason", error.what()}});
    reject_caller(std::move(caller), std::string("the system is short of resources: ") + error.what(), Clock::now());
  }
}

void Server::serve_in_child(Caller caller, const Sender& sender, const SharedProgress& progress, pid_t server) noexcept {
  listener_.close();
  tls_port_.close();
  signals_.reset();
  rejected_callers_.clear();
  proxied_callers_.clear();
  outbox_.leave();
  try {
    prepare_child(server);
    jail_.enter();
    Association association(std::move(caller.socket), caller.is_tls ? tls_port_.context() : nullptr, sender, config_, unable_, quotas_, *progress, wake_up_,
                            &jail_, caller.since);
    association.run();
  } catch (const std::exception& error) {
    log::error("an association process failed", {{"association", sender.association}, {"reason", error.what()}});
    _exit(EXIT_FAILURE);
  }
  // Not exit(): its handlers are the server's.
  _exit(EXIT_SUCCESS);
}

void Server::reject_caller(Caller caller, const std::string& reason, Clock::time_point now) {
  metrics_.turned_away();
  // It would hear the answer only after a handshake, which costs as much as an association.
  if (caller.is_tls) return refusals_.add({.sender = {"", caller.address, "", ""}, .reason = reason, .held = holders()}, now);
  rejected_callers_.take(std::move(caller), reason, now);
}

void Server::reload() {
  try {
    Config fresh = read_config(config_path_);
    if (fresh.spool != config_.spool) throw ConfigError("spool: cannot change while the receiver runs; restart it");
    if (fresh.bind != config_.bind || fresh.port != config_.port || fresh.plain != config_.plain) listen_anew(fresh);
    quotas_.add(fresh.senders);
    config_ = std::move(fresh);
  } catch (const std::exception& error) {
    const Json using_revision = config_.revision ? Json(*config_.revision) : Json(nullptr);
    log::error("the new configuration is refused, the one before stays in force", {{"reason", error.what()}});
    outbox_.emit("config.rejected", std::nullopt, {{"reason", error.what()}, {"using", using_revision}});
    return;
  }
  tls_port_.follow(config_);
  log::set_level(config_.log_level);
  log::info("new configuration for new associations", {{"port", listener_.port()}});
  if (config_.revision) outbox_.emit("config.loaded", std::nullopt, {{"revision", *config_.revision}});
  disk_.look(config_.min_free_bytes);
}

void Server::listen_anew(const Config& config) {
  listener_ = config.plain ? Listener(config.bind, config.port) : Listener();
  if (!config.plain) return;
  log::info("listening", {{"address", config.bind}, {"port", listener_.port()}});
}

void Server::stop(int signal) {
  if (stopping_) return;
  stopping_ = true;
  stop_reason_ = std::string("signal ") + strsignal(signal);
  quota_note_.keep(quotas_);  // before the port is free for another receiver, which reads it
  listener_.close();
  tls_port_.close();
  proxied_callers_.clear();
  children_.ask_to_stop();
  kill_at_ = Clock::now() + config_.stop_timeout + kKillGrace;
  log::info("stopping: no more associations", {{"open", children_.count()}});
}

void Server::do_housekeeping(Clock::time_point now) {
  if (kill_at_ && now >= *kill_at_) children_.kill();
  if (now < next_housekeeping_) return;
  next_housekeeping_ = now + kHousekeepingPeriod;
  may_accept_ = true;
  children_.collect_refusals();
  refusals_.work(now);
  if (children_.places() >= config_.max_associations) children_.let_idle_go(kIdleUnderStress);
  if (others_receive_) clear();
  disk_.look(config_.min_free_bytes);
  tls_port_.follow(config_);
  ids_.keep();
  if (!stopping_) quota_note_.keep(quotas_);
  metrics_.report(children_.totals(), children_.count(), now);
}

}  // namespace mercure::receive
