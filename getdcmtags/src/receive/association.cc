#include "receive/association.h"

#include <dcmtk/dcmnet/dul.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "dimse/pdus.h"
#include "durable.h"
#include "receipt.h"
#include "receive/association_folder.h"
#include "receive/log.h"
#include "receive/meta_header.h"
#include "receive/sop_classes.h"
#include "tags/transcoder.h"

namespace mercure::receive {

namespace {

using dimse::Command;
using dimse::End;
using dimse::Messages;

constexpr char kNoRequest[] = "no association request";
constexpr char kNoTls[] = "no TLS ";

std::string trimmed(const char* title) {
  const std::string text(title);
  const auto first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// DCMTK makes no answer to a request with a blank title, and a title is none the worse for its padding.
void give_titles(DUL_ASSOCIATESERVICEPARAMETERS& parameters) {
  for (char* title : {parameters.callingAPTitle, parameters.calledAPTitle}) {
    if (title[0] == '\0') std::memcpy(title, " ", 2);
  }
}

// The peer has thrown the connection away, as a proxy does that only looks whether the port is open: DCMTK then takes the socket for a
// wrong one.
bool is_reset(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0 && errno == ENOTCONN;
}

// What stands below the connection.
std::unique_ptr<dimse::Stream> stream_of(Descriptor socket, const dimse::TlsContext* tls, dimse::TlsStream*& secure) {
  auto plain = std::make_unique<dimse::TcpStream>(std::move(socket));
  if (tls == nullptr) return plain;
  auto made = std::make_unique<dimse::TlsStream>(std::move(plain), *tls);
  secure = made.get();
  return made;
}

// How association.closed names an ending.
std::string how_of(End end, const Deadlines& deadlines) {
  switch (end) {
    case End::released: return "released";
    case End::lost: return "lost";
    case End::timed_out: return deadlines.ended_by() == Deadlines::Limit::stop ? "aborted" : "timeout";
    case End::aborted:
    case End::broken:
    case End::none: break;
  }
  return "aborted";
}

}  // namespace

Association::Association(Descriptor socket, const dimse::TlsContext* tls, Sender sender, const Config& config, const UnableSenders& unable,
                         const AllQuotaCounters& quotas, Progress& progress, const WakeUp& server, const ChildJail* jail,
                         Deadlines::Clock::time_point start)
    : sender_(std::move(sender)),
      config_(config),
      unable_(unable),
      quotas_(quotas),
      layout_(config.spool),
      progress_(progress),
      server_(server),
      jail_(jail),
      outbox_(layout_.outbox, "receiver"),
      start_(start),
      deadlines_({config.acse_timeout, config.idle_timeout, config.max_association, config.stop_timeout}, start_),
      connection_(stream_of(std::move(socket), tls, secure_), deadlines_),
      transport_layer_([this](int) -> dimse::Connection& { return connection_; }) {}

Association::~Association() {
  if (association_ != nullptr) {
    ASC_dropAssociation(association_);
    ASC_destroyAssociation(&association_);
  }
  if (network_ != nullptr) ASC_dropNetwork(&network_);
}

void Association::run() {
  deadlines_.show(progress_.last_pdu);
  deadlines_.give_way(progress_.place_is_wanted);
  if (!let_in()) return;
  serve();
}

bool Association::let_in() {
  if (!receive_request()) return false;
  note_certificate();
  T_ASC_Parameters& parameters = *association_->params;
  sender_.calling_aet = trimmed(parameters.DULparams.callingAPTitle);
  sender_.called_aet = trimmed(parameters.DULparams.calledAPTitle);
  if (std::strcmp(parameters.theirImplementationClassUID, kImplementationClassUid) == 0) {
    sender_.router = trimmed(parameters.theirImplementationVersionName);
  }
  progress_.calling_aet.set(sender_.calling_aet);
  progress_.called_aet.set(sender_.called_aet);
  look_up_sender();
  if (const auto rejection = rejection_of(config_, sender_, known_, parameters.DULparams.applicationContextName)) {
    progress_.is_refused_for_long = true;
    reject(*rejection);
    return false;
  }
  if (quota_use_ && !quota_use_->enter()) {
    progress_.is_refused_for_long = true;
    reject({ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED, ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED,
            "the sender " + sender_.name + " has as many associations as its quota allows: " + std::to_string(*known_->quotas.associations)});
    return false;
  }
  progress_.is_counted = quota_use_.has_value();
  return accept();
}

void Association::look_up_sender() {
  known_ = find_sender(config_.senders, sender_);
  sender_.name = known_ == nullptr ? unlisted_name(sender_.calling_aet, sender_.address) : known_->name;
  if (known_ == nullptr) return;
  progress_.sender_name.set(sender_.name);
  if (QuotaCounters* counters = known_->quotas.is_empty() ? nullptr : quotas_.find(sender_.name)) quota_use_.emplace(known_->quotas, *counters);
}

// Before the sender hears of the end: one that comes again at once is not refused for itself.
void Association::leave_quotas() {
  if (progress_.is_counted.exchange(false)) quota_use_->leave();
}

bool Association::receive_request() {
  dcmExternalSocketHandle.set(connection_.descriptor());
  OFCondition condition = ASC_initializeNetwork(NET_ACCEPTOR, 0, dimse::whole_seconds(config_.acse_timeout) + 1, &network_);
  if (condition.good()) condition = ASC_setTransportLayer(network_, &transport_layer_, 0);
  if (condition.good()) condition = ASC_receiveAssociation(network_, &association_, config_.max_pdu);
  // DCMTK takes a connection that ends before its request for a good one.
  if (condition.good() && !connection_.is_lost() && !deadlines_.ended_by()) return true;

  const bool has_spoken = connection_.is_opening() ? connection_.first_byte().has_value() : connection_.bytes_read() > 0;
  const bool is_gone = connection_.is_lost() || is_reset(connection_.descriptor());
  if (!deadlines_.ended_by() && is_gone && !has_spoken && connection_.fault().empty()) {
    log::debug("a connection was closed without a word", {{"address", sender_.address}});
    return false;
  }
  note_no_request(condition.good() ? "the connection ended within it" : condition.text());
  connection_.send_last(dimse::abort_pdu(dimse::kServiceProvider, dimse::kReasonNotSpecified));
  connection_.finish();
  return false;
}

void Association::note_no_request(const std::string& what) {
  const auto first = connection_.first_byte();
  if (deadlines_.ended_by()) {
    const char* step = connection_.is_opening() ? "the handshake of TLS: " : "";
    note_refusal(step + text_of(*deadlines_.ended_by()), kNoRequest);
  } else if (secure_ && !connection_.fault().empty()) {
    note_refusal("no TLS: " + connection_.fault(), kNoTls + std::to_string(secure_->fault_code()));
  } else if (!secure_ && first && dimse::is_tls_record(*first)) {
    note_refusal("the sender speaks TLS at the port without it: " + (config_.tls_certificate.empty()
                     ? std::string("switch off TLS there, or give the receiver 'tls_certificate'")
                     : "have it call port " + std::to_string(config_.tls_port)), kNoTls);
  } else {
    note_refusal("not a DICOM association request: " + what, kNoRequest);
  }
}

void Association::note_certificate() {
  if (!secure_) return;
  peer_ = secure_->peer();
  sender_.certificate_subject = peer_.subject;
  sender_.certificate_names = peer_.names;
}

void Association::reject(const Rejection& rejection) {
  const T_ASC_RejectParameters parameters = {rejection.result, rejection.source, rejection.reason};
  const OFCondition condition = ASC_rejectAssociation(association_, &parameters);
  note_refusal(rejection.text);
  if (condition.good()) connection_.finish();
}

bool Association::accept() {
  T_ASC_Parameters& parameters = *association_->params;
  Negotiated negotiated = negotiate(config_, syntaxes_for(config_, known_, unable_.contains(sender_)), parameters);
  contexts_ = std::move(negotiated.accepted);
  give_titles(parameters.DULparams);
  dimse::set_implementation(parameters, kImplementationVersion);
  try {
    folder_ = open_association_folder(layout_.receiving, sender_.association);
    if (jail_ != nullptr) jail_->keep_to(sender_.association);
  } catch (const durable::StepError& error) {
    log::error("no folder for an association", {{"reason", error.what()}});
    reject({ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
            ASC_REASON_SP_PRES_TEMPORARYCONGESTION, std::string("the spool cannot be written: ") + error.what()});
    return false;
  }
  const OFCondition condition = ASC_acknowledgeAssociation(association_);
  if (condition.bad()) {
    note_refusal(std::string("the answer could not be sent: ") + condition.text());
    connection_.send_last(dimse::abort_pdu(dimse::kServiceProvider, dimse::kReasonNotSpecified));
    remove_association_folder(layout_.receiving, sender_.association);
    return false;
  }
  deadlines_.established(Deadlines::Clock::now());
  emit_opened();
  for (const RefusedContext& context : negotiated.refused) progress_.refuse(context);
  if (!negotiated.refused.empty()) server_.signal();
  return true;
}

void Association::serve() {
  Messages messages(connection_, static_cast<std::size_t>(config_.max_pdu),
                    static_cast<std::size_t>(association_->params->theirMaxPDUReceiveSize));
  Store store(config_, layout_, sender_, progress_, outbox_, server_, quota_use_ ? &*quota_use_ : nullptr);
  End end = End::none;
  std::string bytes;
  while (end == End::none) {
    std::uint8_t context = 0;
    end = messages.next_command(context, bytes);
    if (end != End::none) break;
    const auto command = dimse::parse_command(bytes);
    if (!command || (command->field & dimse::kResponseBit) != 0 || !contexts_.contains(context)) {
      close(End::broken, "a command that is none, or on a context that was not accepted");
      return;
    }
    end = answer(messages, store, *command, context);
    has_spoken_ = true;
  }
  close(end, messages.fault());
}

End Association::answer(Messages& messages, Store& store, const Command& command, std::uint8_t context) {
  const AcceptedContext& accepted = contexts_.at(context);
  if (command.field == dimse::kCStoreRequest && accepted.abstract_syntax != kVerification) {
    return store.receive(command, context, accepted.transfer_syntax, messages);
  }
  if (command.has_data_set) {
    const End end = messages.skip_data_set(context, config_.max_object_bytes);
    if (end != End::none) return end;
  }
  if (command.field == dimse::kCCancelRequest) return End::none;  // has no response: PS3.7 section 9.3.2.3
  std::uint16_t status = status::kUnrecognizedOperation;
  if (command.field == dimse::kCEchoRequest) status = status::kSuccess;
  if (command.field == dimse::kCStoreRequest) status = status::kSopClassNotSupported;
  return messages.send(context, dimse::response_to(command, status, ""));
}

void Association::close(End end, const std::string& fault) {
  std::string reason = fault;
  leave_quotas();
  look_for_inability(end);
  if (end == End::released) {
    connection_.send_last(dimse::release_response());
  } else if (end == End::broken) {
    connection_.send_last(dimse::abort_pdu(dimse::kServiceProvider, dimse::kUnexpectedParameter));
  } else if (end == End::timed_out) {
    connection_.send_last(dimse::abort_pdu(dimse::kServiceUser, dimse::kReasonNotSpecified));
    reason = text_of(*deadlines_.ended_by());
  }
  // The router looks at this folder to know whether a series can still grow, so it goes before the last events.
  remove_association_folder(layout_.receiving, sender_.association);
  folder_.reset();
  emit_closed(how_of(end, deadlines_), reason);
  if (!reason.empty()) {
    log::warning("an association ended early", {{"association", sender_.association},
                                                {"address", sender_.address},
                                                {"calling_aet", sender_.calling_aet},
                                                {"reason", reason}});
  }
  if (end == End::broken || end == End::timed_out) connection_.finish();
}

void Association::note_refusal(const std::string& reason, const std::string& kind) { progress_.refuse(reason, kind); }

void Association::emit_opened() {
  progress_.opened = true;
  const DUL_ASSOCIATESERVICEPARAMETERS& parameters = association_->params->DULparams;
  Json details = {{"association", sender_.association},
                  {"address", sender_.address},
                  {"calling_aet", sender_.calling_aet},
                  {"called_aet", sender_.called_aet},
                  {"implementation_uid", tags::utf8(parameters.callingImplementationClassUID)},
                  {"implementation_version", tags::utf8(parameters.callingImplementationVersionName)},
                  {"contexts", contexts_.size()}};
  if (secure_) details["tls"] = peer_.version + ' ' + peer_.cipher;
  if (!peer_.subject.empty()) {
    details["certificate_subject"] = peer_.subject;
    details["certificate_names"] = peer_.names;
    details["certificate_ends"] = peer_.ends;
  }
  outbox_.emit("association.opened", std::nullopt, details);
}

// An abort may have many reasons. The uncompressed syntax that the sender gets the next time is one that it has offered.
void Association::look_for_inability(End end) {
  if (has_spoken_ && end != End::aborted) return;
  if (deadlines_.ended_by() == Deadlines::Limit::stop || deadlines_.ended_by() == Deadlines::Limit::place) return;
  const auto mixed = std::find_if(contexts_.begin(), contexts_.end(), [](const auto& one) { return one.second.is_from_mixed; });
  if (mixed == contexts_.end()) return;
  progress_.unsent_class.set(mixed->second.abstract_syntax);
  progress_.unsent_syntax.set(mixed->second.transfer_syntax);
  progress_.could_not_send = true;
}

void Association::emit_closed(const std::string& how, const std::string& reason) {
  progress_.opened = false;
  const std::chrono::duration<double> seconds = Deadlines::Clock::now() - start_;
  Json details = {{"association", sender_.association},
                        {"address", sender_.address},
                        {"calling_aet", sender_.calling_aet},
                        {"called_aet", sender_.called_aet},
                        {"how", how},
                        {"images", progress_.images.load()},
                        {"bytes", progress_.bytes.load()},
                        {"refused", progress_.refused.load()},
                        {"seconds", seconds.count()}};
  if (!reason.empty()) details["reason"] = reason;
  log::info("an association ended", details);
  outbox_.emit("association.closed", std::nullopt, details);
  if (outbox_.waiting() > 0) {
    log::error("events are lost: the outbox cannot be written",
               {{"association", sender_.association}, {"events", outbox_.waiting()}});
  }
  outbox_.close();
}

}  // namespace mercure::receive
