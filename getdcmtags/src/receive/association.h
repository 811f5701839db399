// One association, in a process of its own, from the first byte to the last.
#ifndef MERCURE_RECEIVE_ASSOCIATION_H
#define MERCURE_RECEIVE_ASSOCIATION_H

#include <optional>
#include <string>

#include "descriptor.h"
#include "dimse/command_set.h"
#include "dimse/connection.h"
#include "dimse/dcmtk.h"
#include "dimse/messages.h"
#include "dimse/tls.h"
#include "outbox.h"
#include "receive/child_jail.h"
#include "receive/config.h"
#include "receive/deadlines.h"
#include "receive/layout.h"
#include "receive/negotiation.h"
#include "receive/progress.h"
#include "receive/quota_use.h"
#include "receive/sender.h"
#include "receive/store.h"
#include "receive/unable_senders.h"
#include "receive/wake_up.h"

namespace mercure::receive {

class Association {
 public:
  // Takes over the connected socket; `tls`: it speaks TLS, by this; `jail`: this process is shut in by it; `start`: when the sender called.
  // The rest outlives this.
  Association(Descriptor socket, const dimse::TlsContext* tls, Sender sender, const Config& config, const UnableSenders& unable, const AllQuotaCounters& quotas,
              Progress& progress, const WakeUp& server, const ChildJail* jail, Deadlines::Clock::time_point start = Deadlines::Clock::now());
  ~Association();
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;

  // Serves the association to its end. Throws only what makes it impossible to begin (std::system_error).
  void run();

 private:
  bool let_in();
  bool receive_request();
  void note_no_request(const std::string& what);
  void note_certificate();
  void look_up_sender();
  void reject(const Rejection& rejection);
  bool accept();
  void serve();
  dimse::End answer(dimse::Messages& messages, Store& store, const dimse::Command& command, std::uint8_t context);
  void leave_quotas();
  void close(dimse::End end, const std::string& fault);
  // `kind`: refusals of one kind are counted together, even if their reasons differ.
  void note_refusal(const std::string& reason, const std::string& kind = {});
  void emit_opened();
  void look_for_inability(dimse::End end);
  void emit_closed(const std::string& how, const std::string& reason);

  Sender sender_;
  const Config& config_;
  const UnableSenders& unable_;
  const AllQuotaCounters& quotas_;
  const Layout layout_;
  Progress& progress_;
  const WakeUp& server_;
  const ChildJail* jail_;
  Outbox outbox_;
  Deadlines::Clock::time_point start_;
  Deadlines deadlines_;
  dimse::TlsStream* secure_ = nullptr;  // of the connection, where it speaks TLS
  dimse::TlsPeer peer_;
  dimse::Connection connection_;
  dimse::TransportLayer transport_layer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* association_ = nullptr;
  AcceptedContexts contexts_;
  const KnownSender* known_ = nullptr;  // the sender's entry in the configuration
  std::optional<QuotaUse> quota_use_;   // absent: it has no quotas
  bool has_spoken_ = false;  // some command came
  Descriptor folder_;  // receiving/<association>, locked
};

}  // namespace mercure::receive

#endif
