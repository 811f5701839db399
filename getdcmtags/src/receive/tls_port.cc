#include "receive/tls_port.h"

#include <sys/stat.h>

#include <system_error>
#include <utility>

#include "receive/log.h"

namespace mercure::receive {

namespace {

std::string state_of(const std::string& file) {
  struct stat state {};
  if (file.empty() || stat(file.c_str(), &state) != 0) return file + " is not there";
  return file + ' ' + std::to_string(state.st_ino) + ' ' + std::to_string(state.st_size) + ' ' + std::to_string(state.st_mode) + ' ' +
         std::to_string(state.st_mtim.tv_sec) + '.' + std::to_string(state.st_mtim.tv_nsec);
}

std::vector<std::string> signature_of(const Config& config) {
  return {state_of(config.tls_certificate), state_of(config.tls_key), state_of(config.tls_ca), state_of(config.tls_crl),
          std::to_string(static_cast<int>(config.tls_clients))};
}

}  // namespace

void TlsPort::follow(const Config& config) {
  if (is_closed_) return;
  if (config.tls_certificate.empty()) {
    listener_.close();
    place_.clear();
    context_.reset();
    signature_.clear();
    return;
  }
  read_files(config);
  const std::string place = config.bind + " port " + std::to_string(config.tls_port);
  if (context_ && place_ != place) listen(config);
}

void TlsPort::read_files(const Config& config) {
  auto signature = signature_of(config);
  if (signature == signature_) return;
  const bool is_first = signature_.empty();
  signature_ = std::move(signature);
  try {
    context_ = std::make_unique<dimse::TlsContext>(
        dimse::TlsServerSettings{config.tls_certificate, config.tls_key, config.tls_ca, config.tls_clients, config.tls_crl});
    told_.clear();
    if (!is_first) log::info("new certificates for new associations", {{"certificate", config.tls_certificate}});
  } catch (const dimse::TlsFilesError& error) {
    tell(config, std::string(context_ ? "the certificates before stay in force: " : "the port for TLS stays closed: ") + error.what());
  }
}

// The receiver before this one may hold the port for a moment: it is tried again.
void TlsPort::listen(const Config& config) {
  try {
    listener_ = Listener(config.bind, config.tls_port);
  } catch (const std::system_error& error) {
    log::warning("the port for TLS cannot be opened now and is tried again", {{"reason", error.what()}});
    return;
  }
  place_ = config.bind + " port " + std::to_string(config.tls_port);
  log::info("listening for TLS", {{"address", config.bind}, {"port", listener_.port()}});
}

void TlsPort::tell(const Config& config, const std::string& what) {
  if (what == told_) return;
  told_ = what;
  log::error("files for TLS cannot be used", {{"reason", what}});
  const Json revision = config.revision ? Json(*config.revision) : Json(nullptr);
  outbox_.emit("config.rejected", std::nullopt, {{"reason", "receiver.tls_certificate: " + what}, {"using", revision}});
}

void TlsPort::close() {
  listener_.close();
  is_closed_ = true;
}

}  // namespace mercure::receive
