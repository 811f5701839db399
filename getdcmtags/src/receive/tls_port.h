// The port for senders that speak TLS: its listener, and the certificates of the moment.
#ifndef MERCURE_RECEIVE_TLS_PORT_H
#define MERCURE_RECEIVE_TLS_PORT_H

#include <memory>
#include <string>
#include <vector>

#include "dimse/tls.h"
#include "outbox.h"
#include "receive/config.h"
#include "receive/listener.h"

namespace mercure::receive {

class TlsPort {
 public:
  explicit TlsPort(Outbox& outbox) : outbox_(outbox) {}

  // Opens or closes the port and reads the certificates, as the configuration wants it and where something has changed: a file that was
  // put into the place of another counts for the next association. Files that cannot be used are told of once, and those before stay in
  // force; without any the port is closed, and the one without TLS goes on.
  void follow(const Config& config);

  const Listener& listener() const { return listener_; }

  // Lives until the next follow().
  const dimse::TlsContext* context() const { return context_.get(); }

  void close();

 private:
  void read_files(const Config& config);
  void listen(const Config& config);
  void tell(const Config& config, const std::string& what);

  Outbox& outbox_;
  Listener listener_;
  std::string place_;                     // where it listens
  std::unique_ptr<dimse::TlsContext> context_;
  std::vector<std::string> signature_;    // of the files, and the settings that they were read by
  std::string told_;                      // the last trouble, which is told once
  bool is_closed_ = false;                // for good
};

}  // namespace mercure::receive

#endif
