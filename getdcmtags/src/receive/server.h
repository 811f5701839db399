// The parent of all associations: takes callers, starts a process for each, watches over them. It reads nothing of what they send.
#ifndef MERCURE_RECEIVE_SERVER_H
#define MERCURE_RECEIVE_SERVER_H

#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "descriptor.h"
#include "id_note.h"
#include "outbox.h"
#include "receive/child_jail.h"
#include "receive/children.h"
#include "receive/config.h"
#include "receive/disk_watch.h"
#include "receive/layout.h"
#include "receive/listener.h"
#include "receive/metrics.h"
#include "receive/proxied_callers.h"
#include "receive/quota_note.h"
#include "receive/quota_use.h"
#include "receive/refusals.h"
#include "receive/rejected_callers.h"
#include "receive/tls_port.h"
#include "receive/unable_senders.h"
#include "receive/wake_up.h"

namespace mercure::receive {

class Server {
 public:
  // Prepares the spool, takes the signals, listens. Throws std::system_error (durable::StepError for the spool).
  Server(Config config, std::string config_path);

  // Serves until TERM or INT and until the last association has ended.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  void begin_ids();
  void emit_started();
  void wait();
  void handle_signals();
  void take_callers(const Listener& listener, bool is_tls);
  void greet(Caller caller, Clock::time_point now);
  void take(Caller caller, Clock::time_point now);
  std::string limit_reached(const std::string& address);
  std::size_t places_for(const std::string& address) const;
  Json holders() const;
  void start_association(Caller caller);
  [[noreturn]] void serve_in_child(Caller caller, const Sender& sender, const SharedProgress& progress, pid_t server) noexcept;
  void reject_caller(Caller caller, const std::string& reason, Clock::time_point now);
  void reload();
  void listen_anew(const Config& config);
  void stop(int signal);
  void do_housekeeping(Clock::time_point now);
  void clear();

  Config config_;
  std::string config_path_;
  Layout layout_;
  IdNote ids_;
  Outbox outbox_;
  Refusals refusals_;
  AllQuotaCounters quotas_;
  QuotaNote quota_note_;
  UnableSenders unable_;
  Children children_;
  DiskWatch disk_;
  Metrics metrics_;
  RejectedCallers rejected_callers_;
  ProxiedCallers proxied_callers_;
  WakeUp wake_up_;
  Descriptor signals_;
  Listener listener_;
  TlsPort tls_port_;
  ChildJail jail_;
  bool stopping_ = false;
  std::string stop_reason_;
  bool others_receive_ = false;  // processes of a server that died still hold folders
  bool may_accept_ = true;       // false for a while when the system had no descriptors left
  std::optional<Clock::time_point> kill_at_;
  Clock::time_point next_housekeeping_;
};

}  // namespace mercure::receive

#endif
