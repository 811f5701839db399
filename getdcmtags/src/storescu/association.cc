#include "storescu/association.h"

#include <dcmtk/dcmnet/cond.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "convert/data_set.h"
#include "descriptor.h"
#include "dimse/command_set.h"
#include "dimse/pdus.h"
#include "receipt.h"
#include "storescu/answers.h"
#include "storescu/dcmtk_connect.h"
#include "uids.h"

namespace mercure::storescu {
namespace {

using dimse::End;

std::string limit_text(Seconds limit) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%g s", limit.count());
  return text.data();
}

// PS3.8 section 9.3.4, by the source in the high byte and the reason in the low one, as DCMTK has them.
std::string rejection_text(const T_ASC_RejectParameters& rejection) {
  static constexpr std::array<std::pair<int, const char*>, 8> kReasons{{
      {ASC_REASON_SU_NOREASON, "no reason given"},
      {ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED, "application context not supported"},
      {ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED, "calling AE title not recognized"},
      {ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED, "called AE title not recognized"},
      {ASC_REASON_SP_ACSE_NOREASON, "no reason given"},
      {ASC_REASON_SP_ACSE_PROTOCOLVERSIONNOTSUPPORTED, "protocol version not supported"},
      {ASC_REASON_SP_PRES_TEMPORARYCONGESTION, "temporary congestion"},
      {ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED, "local limit exceeded"},
  }};
  std::string text = "the target rejected the association";
  if (rejection.result == ASC_RESULT_REJECTEDTRANSIENT) text += " for now";
  for (const auto& [reason, meaning] : kReasons) {
    if (reason == static_cast<int>(rejection.reason)) return text + ": " + meaning;
  }
  return text;
}

// It has no room for one more association now: that is said of the moment, not of us.
Kind kind_of(const T_ASC_RejectParameters& rejection) {
  const auto reason = static_cast<int>(rejection.reason);
  const bool is_full = reason == ASC_REASON_SP_PRES_TEMPORARYCONGESTION || reason == ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED;
  return is_full || rejection.result == ASC_RESULT_REJECTEDTRANSIENT ? Kind::busy : Kind::rejected;
}

// What of a context the target said (PS3.8 section 9.3.3.2).
std::optional<T_ASC_P_ResultReason> reason_of(T_ASC_Parameters* parameters, unsigned char id) {
  T_ASC_PresentationContext context;
  for (int place = 0; ASC_getPresentationContext(parameters, place, &context).good(); ++place) {
    if (context.presentationContextID == id) return context.resultReason;
  }
  return std::nullopt;
}

std::string names_of(const std::vector<std::string>& syntaxes) {
  std::string text;
  for (std::size_t place = 0; place < syntaxes.size(); ++place) {
    if (place > 0) text += place + 1 < syntaxes.size() ? ", " : " or ";
    text += uid_name(syntaxes[place]);
  }
  return text;
}

unsigned char context_id(std::size_t place) { return static_cast<unsigned char>(2 * place + 1); }

// DCMTK takes 0 for "no limit".
int whole_seconds(Seconds seconds) { return std::max(1, dimse::whole_seconds(seconds)); }

Answer failed(const Fault& fault) { return {{Outcome::failed, std::nullopt, fault.text, fault.cause}, std::nullopt}; }

Answer not_sent(std::string why) { return {{Outcome::not_sent, std::nullopt, std::move(why)}, std::nullopt}; }

Answer not_encoded(const Setback& setback) {
  std::string why = "the target takes it in no transfer syntax in which it can be had; " + setback.why;
  return {{Outcome::not_sent, std::nullopt, std::move(why), Cause::unsupported}, std::nullopt};
}

// DCMTK 3.6.9 (Debian 13) takes the time limit for connecting here; before, it came from the global alone.
OFCondition create_parameters(T_ASC_Parameters*& parameters, long max_pdu) {
#if OFFIS_DCMTK_VERSION_NUMBER >= 369
  return ASC_createAssociationParameters(&parameters, max_pdu, dcmConnectionTimeout.get());
#else
  return ASC_createAssociationParameters(&parameters, max_pdu);
#endif
}

}  // namespace

Tls::Tls(const Options& options) {
  if (!options.uses_tls) return;
  try {
    context.emplace(options.tls);
  } catch (const dimse::TlsFilesError& error) {
    fault = error.what();
  }
}

Association::Association(const Options& options, Clock::time_point total, convert::FrameCodec& codec, const Tls& tls)
    : options_(options),
      deadline_(total),
      layer_([this](int socket) -> dimse::Connection& { return take_over(socket); }),
      answer_watch_(options.answer_watch),
      codec_(codec),
      tls_(tls) {
  ASC_initializeNetwork(NET_REQUESTOR, 0, whole_seconds(options.acse_timeout), &network_);
  ASC_setTransportLayer(network_, &layer_, 0);
  dcmConnectionTimeout.set(whole_seconds(options.connect_timeout));
}

Association::~Association() {
  abandon();
  ASC_dropNetwork(&network_);
}

// The connection stands: from here on the limit for negotiation counts.
dimse::Connection& Association::take_over(int socket) {
  deadline_.begin(options_.acse_timeout);
  std::unique_ptr<dimse::Stream> stream = std::make_unique<dimse::TcpStream>(Descriptor(socket));
  if (tls_.context) {
    auto secure = std::make_unique<dimse::TlsStream>(std::move(stream), *tls_.context);
    secure_ = secure.get();
    stream = std::move(secure);
  }
  return connection_.emplace(std::move(stream), deadline_);
}

// Forgets the association and closes its connection.
void Association::abandon() {
  messages_.reset();
  if (association_) ASC_destroyAssociation(&association_);
  association_ = nullptr;
  secure_ = nullptr;
  connection_.reset();
}

bool Association::add_contexts(T_ASC_Parameters* parameters, const std::vector<Context>& contexts) {
  for (std::size_t place = 0; place < contexts.size(); ++place) {
    std::array<const char*, 1> syntaxes{contexts[place].transfer_syntax.c_str()};
    const auto added = ASC_addPresentationContext(parameters, context_id(place), contexts[place].sop_class.c_str(),
                                                  syntaxes.data(), static_cast<int>(syntaxes.size()));
    if (added.bad()) return false;
  }
  return true;
}

// No asynchronous operations window and no other extended negotiation: some senders' software drops the association when it is
// asked for what it does not know (LESSONS 40). Nothing when DCMTK cannot make them.
T_ASC_Parameters* Association::parameters_for(const std::vector<Context>& contexts) {
  T_ASC_Parameters* parameters = nullptr;
  if (!network_ || create_parameters(parameters, static_cast<long>(options_.max_pdu)).bad()) return nullptr;
  // DCMTK's guess of where the target is: the broker knows it, and connects (dcmtk_connect.h).
  const std::string address = "127.0.0.1:" + std::to_string(options_.port);
  ASC_setAPTitles(parameters, options_.calling_aet.c_str(), options_.called_aet.c_str(), nullptr);
  ASC_setPresentationAddresses(parameters, "localhost", address.c_str());
  dimse::set_implementation(*parameters, std::string(kImplementationVersion) + (options_.router.empty() ? "" : '_' + options_.router));
  if (!add_contexts(parameters, contexts)) ASC_destroyAssociationParameters(&parameters);
  return parameters;
}

std::optional<Problem> Association::open(const std::vector<Context>& contexts) {
  early_.clear();
  violation_.clear();
  stray_data_set_ = false;
  deadline_.forget();
  deadline_.allow_per_progress(std::nullopt);
  if (!tls_.fault.empty()) return Problem{Kind::tls, tls_.fault};
  T_ASC_Parameters* parameters = parameters_for(contexts);
  if (!parameters) return Problem{Kind::local, "DCMTK could not make the association request"};
  deadline_.begin(options_.connect_timeout);
  const OFCondition condition = ASC_requestAssociation(network_, parameters, &association_, nullptr, nullptr, DUL_NOBLOCK,
                                                       whole_seconds(options_.acse_timeout));
  if (condition.good()) {
    note_peer();
    messages_.emplace(*connection_, options_.max_pdu, static_cast<std::size_t>(association_->params->theirMaxPDUReceiveSize));
    return std::nullopt;
  }
  note_peer();
  Problem problem = opening_failed(condition);
  if (!association_) ASC_destroyAssociationParameters(&parameters);
  abandon();
  return problem;
}

void Association::note_peer() {
  if (secure_) peer_ = secure_->peer();
}

Problem Association::opening_failed(const OFCondition& condition) {
  const std::string place = options_.place();
  if (condition == DUL_ASSOCIATIONREJECTED && association_) {
    T_ASC_RejectParameters rejection;
    if (ASC_getRejectParameters(association_->params, &rejection).good()) return {kind_of(rejection), rejection_text(rejection)};
    return {Kind::rejected, "the target rejected the association"};
  }
  if (!connection_) {
    const std::string why = connect_fault().empty() ? condition.text() : connect_fault();
    return {Kind::unreachable, "no connection to " + place + ": " + why};
  }
  const auto limit = deadline_.ended_by();
  if (limit == Deadline::Expiry::stopped) return {Kind::stopped, "told to stop"};
  if (limit == Deadline::Expiry::total) {
    return {Kind::timeout, "not done within " + limit_text(options_.total_timeout)};
  }
  if (const auto problem = tls_failed(place); problem && !limit) return *problem;
  if (limit && connection_->is_opening()) {
    return {Kind::timeout, place + " did not finish the handshake of TLS within " + limit_text(options_.acse_timeout) +
                               ": does it speak TLS on this port?"};
  }
  if (limit || condition == DUL_READTIMEOUT) {
    return {Kind::timeout, "the target did not answer the association request within " + limit_text(options_.acse_timeout)};
  }
  if (condition == DUL_PEERABORTEDASSOCIATION) return {Kind::aborted, "the target aborted during negotiation"};
  if (connection_->is_lost()) return {Kind::aborted, "the target closed the connection during negotiation"};
  return {Kind::aborted, std::string("negotiation failed: ") + condition.text()};
}

// What TLS says of the end. A target that speaks it to us, who do not, answers with an alert.
std::optional<Problem> Association::tls_failed(const std::string& place) const {
  if (secure_ && !connection_->fault().empty()) return Problem{Kind::tls, "no TLS with " + place + ": " + connection_->fault()};
  // The alert that says so may be lost, where it closes at once (TLS 1.3 tells of our certificate after the handshake).
  if (secure_ && connection_->is_lost() && !connection_->is_opening() && connection_->bytes_read() == 0) {
    const char* guess = options_.tls.certificate.empty() ? "it wants a certificate from us: set 'certificate' and 'key' of the target"
                                                         : "it refuses our certificate: it must know the authority that signed it";
    return Problem{Kind::tls, "no TLS with " + place + ": it closed the connection right after the handshake; most often " + guess};
  }
  const auto first = connection_->first_byte();
  if (secure_ || !first || !dimse::is_tls_record(*first)) return std::nullopt;
  return Problem{Kind::tls, place + " speaks TLS on this port: set 'tls' of the target, or take its port without TLS"};
}

// The best syntax that the target takes. Each was proposed alone, so what it accepts must be that one: anything else is no
// acceptance (PS3.8 section 9.3.3.2).
std::optional<std::size_t> Association::choose(const Image& image, const std::vector<std::size_t>& contexts,
                                               const Setback& setback) const {
  const std::size_t end = contexts.size() - (setback.why.empty() ? image.fallbacks : 0);
  for (std::size_t place = setback.tried; place < end; ++place) {
    T_ASC_PresentationContext accepted;
    const auto found = ASC_findAcceptedPresentationContext(association_->params, context_id(contexts[place]), &accepted);
    if (found.good() && image.syntaxes[place] == accepted.acceptedTransferSyntax) return place;
  }
  return std::nullopt;
}

Answer Association::refused(const Image& image, const std::vector<std::size_t>& contexts) const {
  std::size_t no_class = 0;
  bool accepts_another = false;
  const auto wanted = static_cast<std::ptrdiff_t>(contexts.size() - image.fallbacks);
  const std::vector<std::string> syntaxes(image.syntaxes.begin(), image.syntaxes.begin() + wanted);
  for (std::size_t place = 0; place < syntaxes.size(); ++place) {
    const auto reason = reason_of(association_->params, context_id(contexts[place]));
    accepts_another = accepts_another || reason == ASC_P_ACCEPTANCE;
    no_class += reason == ASC_P_ABSTRACTSYNTAXNOTSUPPORTED ? 1 : 0;
  }
  std::string text = "the target takes no " + uid_name(image.sop_class);
  if (accepts_another) {
    text = "the target accepted a transfer syntax that was not proposed";
  } else {
    text += no_class == syntaxes.size() ? ": SOP class not supported" : " in " + names_of(syntaxes);
  }
  return {{Outcome::refused, std::nullopt, std::move(text), Cause::unsupported}, std::nullopt};
}

Answer Association::store(const Image& image, const std::vector<std::size_t>& contexts, Setback& setback) {
  auto chosen = choose(image, contexts, setback);
  const Descriptor file(::open(image.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!chosen) {
    const Fault fault = fault_of(file.get(), image);
    if (fault) return failed(fault);
    return setback.why.empty() ? refused(image, contexts) : not_encoded(setback);
  }
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return not_sent(std::string("cannot be opened: ") + std::strerror(errno));
  const auto end = static_cast<std::uint64_t>(status.st_size);
  if (end <= image.data_set_offset) {
    if (image.data_digest.empty()) return not_sent("it holds no data set any more");
    return failed({Cause::altered, "it holds no data set any more"});
  }
  for (; chosen; chosen = choose(image, contexts, setback)) {
    const std::string& syntax = image.syntaxes[*chosen];
    const auto id = context_id(contexts[*chosen]);
    std::string encoder;  // what it said, where it failed
    Answer answer = syntax == image.transfer_syntax ? store_as_it_is(id, file.get(), image, end)
                                                    : store_converted(id, file.get(), image, end, syntax, encoder);
    if (answer.result.status) {
      answer.result.sent_as = syntax;
      answer.result.passed_over = setback.why;
    }
    if (encoder.empty()) return answer;
    setback.tried = *chosen + 1;
    if (setback.why.empty()) setback.why = uid_name(syntax) + ": " + encoder;
    if (!answer.problem) continue;
    answer.try_next_syntax = true;
    return answer;
  }
  return not_encoded(setback);
}

Answer Association::store_as_it_is(unsigned char context, int file, const Image& image, std::uint64_t end) {
  posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
  DataSetReader data_set(file, image, end);
  const std::uint16_t message_id = begin_message();
  messages_->hold(context, dimse::store_request(message_id, image.sop_class, image.sop_instance));
  const End sent = send_data_set(context, data_set, image, message_id);
  if (own_fault_) return broken(sent, "");
  return answer_to(message_id, image, sent);
}

// Collects what is converted into fragments. The last one waits until it is known to be the last.
class Association::ConvertedSink final : public convert::Sink {
 public:
  ConvertedSink(Association& association, unsigned char context, const Image& image, std::uint16_t message_id)
      : association_(association), context_(context), image_(image), message_id_(message_id) {
    association.buffer_.resize(association.fragment_bytes());
  }

  bool write(std::string_view bytes) override {
    auto& buffer = association_.buffer_;
    while (!bytes.empty()) {
      if (used_ == buffer.size() && !send(used_, false)) return false;
      const std::size_t piece = std::min(bytes.size(), buffer.size() - used_);
      std::memcpy(buffer.data() + used_, bytes.data(), piece);
      used_ += piece;
      bytes.remove_prefix(piece);
    }
    return true;
  }

  // An image of one fragment has no moment between its first and its last one in which to look for an answer.
  End finish() {
    const bool is_split = association_.answer_watch_ > Seconds(0) && is_first_ && used_ >= 4;
    if (is_split && !send((used_ / 2) & ~std::size_t{1}, false)) return end_;
    end_ = association_.look_for_early_answer(message_id_, image_);
    if (end_ == End::none && used_ % 2 != 0) association_.buffer_[used_++] = '\0';
    if (end_ == End::none) send(used_, true);
    return end_;
  }

  End end() const { return end_; }

 private:
  bool send(std::size_t count, bool last) {
    auto& buffer = association_.buffer_;
    end_ = association_.messages_->send_fragment(context_, {buffer.data(), count}, last);
    std::memmove(buffer.data(), buffer.data() + count, used_ - count);
    used_ -= count;
    is_first_ = false;
    return end_ == End::none;
  }

  Association& association_;
  unsigned char context_;
  const Image& image_;
  std::uint16_t message_id_;
  std::size_t used_ = 0;
  bool is_first_ = true;
  End end_ = End::none;
};

// What cannot be converted is mostly found out by the first walk, before anything has left.
Answer Association::store_converted(unsigned char context, int file, const Image& image, std::uint64_t end,
                                    const std::string& syntax, std::string& encoder) {
  convert::Conversion conversion(file, image.data_set_offset, end, *convert::Source::of(image.transfer_syntax),
                                 *convert::Destination::of(syntax), &codec_);
  // The conversion reads what it needs where it needs it, so the whole is checked before it begins.
  DataSetReader data_set(file, image, end);
  if (!image.data_digest.empty() && !data_set.check()) {
    return failed(data_set.fault());
  }
  const std::string what = "the target takes no " + uid_name(image.transfer_syntax) + ", and it cannot be converted to " +
                           uid_name(syntax) + ": ";
  if (!conversion.measure()) {
    if (conversion.encoding_failed()) encoder = conversion.reason();
    return {{Outcome::not_sent, std::nullopt, what + conversion.reason(), Cause::unsupported}, std::nullopt};
  }
  const std::uint16_t message_id = begin_message();
  ConvertedSink sink(*this, context, image, message_id);
  messages_->hold(context, dimse::store_request(message_id, image.sop_class, image.sop_instance));
  if (!conversion.write(sink)) {
    if (sink.end() == End::none) own_fault_ = {Cause::local, what + conversion.reason()};
    if (conversion.encoding_failed()) encoder = conversion.reason();
    return broken(sink.end(), "while it was sent");
  }
  return answer_to(message_id, image, sink.finish());
}

std::uint16_t Association::begin_message() {
  deadline_.begin(options_.dimse_timeout);
  deadline_.allow_per_progress(options_.dimse_timeout);
  return association_->nextMsgID++;
}

// Waits for the answer to an image that was sent, or not to its end.
Answer Association::answer_to(std::uint16_t message_id, const Image& image, End sent) {
  if (sent == End::none) sent = messages_->flush();
  if (sent != End::none) return broken(sent, "while it was sent");
  deadline_.begin(options_.dimse_timeout);
  std::string command = std::move(early_);
  early_.clear();
  const End received = command.empty() ? receive_command(command, Until::answer) : End::none;
  if (received != End::none) return broken(received, "before the target answered");
  const auto response = dimse::parse_store_response(command);
  std::string objection = objection_to(response, message_id, image.sop_instance);
  if (!objection.empty()) return broken(violated(std::move(objection)), "");
  stray_data_set_ = response->data_set_follows;
  const Meaning meaning = meaning_of(response->status);
  const bool silent = response->comment.empty();
  return {{meaning.outcome, response->status, silent ? std::string(meaning.text) : response->comment}, std::nullopt};
}

End Association::violated(std::string how) {
  violation_ = std::move(how);
  return End::broken;
}

// A success that comes before the last fragment has left cannot be about the image: the target does not have it. A
// refusal can. An answer that is still on its way at that moment looks like a right one; `answer_watch` waits for it.
End Association::look_for_early_answer(std::uint16_t message_id, const Image& image) {
  if (answer_watch_ > Seconds(0)) {
    if (const End end = messages_->flush(); end != End::none) return end;
  }
  const bool news = messages_->has_news(std::chrono::ceil<std::chrono::milliseconds>(answer_watch_));
  answer_watch_ = Seconds(0);
  if (!news) return End::none;
  deadline_.begin(options_.dimse_timeout);
  const End received = receive_command(early_, Until::answer_or_end_of_data_set);
  if (received != End::none || early_.empty()) return received;
  const auto response = dimse::parse_store_response(early_);
  std::string objection = objection_to(response, message_id, image.sop_instance);
  if (!objection.empty()) return violated(std::move(objection));
  const Outcome outcome = meaning_of(response->status).outcome;
  if (outcome == Outcome::refused || outcome == Outcome::failed) return End::none;
  answer_watch_ = options_.answer_watch;
  return violated("the target answered before it had the whole image");
}

// What differs from what was received must not arrive: the last fragment leaves when all is compared.
End Association::send_data_set(unsigned char context, DataSetReader& data_set, const Image& image, std::uint16_t message_id) {
  buffer_.resize(fragment_bytes());
  End sent = End::none;
  bool is_first = true;
  while (data_set.left() > 0 && sent == End::none) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), data_set.left()));
    // An image of one fragment has no moment between its first and its last one in which to look for an answer.
    if (answer_watch_ > Seconds(0) && std::exchange(is_first, false) && wanted == data_set.left() && wanted >= 4) {
      wanted = (wanted / 2) & ~std::size_t{1};
    }
    const bool is_read = data_set.read(buffer_.data(), wanted);
    const bool is_last = data_set.left() == 0;
    if (!is_read || (is_last && !data_set.is_as_received())) {
      own_fault_ = data_set.fault();
      return End::none;
    }
    // Every fragment has an even length (PS3.8 annex E); DCMTK and others abort at an odd one.
    const bool odd = wanted % 2 != 0;
    if (odd) buffer_[wanted] = '\0';
    if (is_last) sent = look_for_early_answer(message_id, image);
    if (sent == End::none) sent = messages_->send_fragment(context, {buffer_.data(), wanted + (odd ? 1 : 0)}, is_last);
  }
  return sent;
}

// Passes over the data set that the last answer announced.
End Association::receive_command(std::string& command, Until until) {
  dimse::Fragment fragment;
  while (command.size() <= dimse::kMaxCommandBytes) {
    if (const End end = messages_->next(fragment); end != End::none) return end;
    if (!fragment.is_command) {
      if (!stray_data_set_ || !command.empty()) return violated("the target sent a data set where an answer belongs");
      stray_data_set_ = !fragment.is_last;
      if (fragment.is_last && until == Until::answer_or_end_of_data_set) return End::none;
      continue;
    }
    command += fragment.bytes;
    if (fragment.is_last) return End::none;
  }
  return End::broken;
}

// Says why the association ended; that is also the result of the image.
Problem Association::problem_of(End end, const std::string& what) {
  if (own_fault_) return {Kind::local, std::exchange(own_fault_, {}).text};
  if (!violation_.empty()) return {Kind::violation, std::exchange(violation_, {})};
  const auto limit = end == End::timed_out ? deadline_.ended_by() : std::nullopt;
  if (limit == Deadline::Expiry::stopped) return {Kind::stopped, "told to stop " + what};
  if (limit == Deadline::Expiry::total) {
    return {Kind::timeout, "the limit of " + limit_text(options_.total_timeout) + " for everything passed " + what};
  }
  switch (end) {
    case End::timed_out: return {Kind::timeout, "nothing happened for " + limit_text(options_.dimse_timeout) + ' ' + what};
    case End::aborted: return {Kind::aborted, "the target aborted the association " + what};
    case End::released: return {Kind::aborted, "the target ended the association " + what};
    case End::lost: return {Kind::aborted, "the connection was lost " + what};
    case End::broken:
    case End::none: break;
  }
  const std::string& fault = messages_->fault();
  return {Kind::aborted, "the association was ended " + what + (fault.empty() ? "" : ": " + fault)};
}

Answer Association::broken(End end, const std::string& what) {
  const Cause cause = own_fault_.cause;
  const Problem problem = problem_of(end, what);
  if (end != End::aborted) abort();
  abandon();
  return {{Outcome::failed, std::nullopt, problem.text, cause}, problem};
}

// Whatever is held leaves first: the target knows then which image is not coming. After a torn PDU nothing leaves.
void Association::abort() {
  if (connection_->is_lost() || messages_->flush() != End::none) return;
  connection_->send_last(dimse::abort_pdu(dimse::kServiceUser, dimse::kReasonNotSpecified));
  connection_->finish();
}

void Association::release() {
  if (!association_) return;
  deadline_.begin(options_.acse_timeout);
  deadline_.allow_per_progress(std::nullopt);
  const End end = messages_->release();
  if (end != End::none && end != End::aborted) abort();
  abandon();
}

}  // namespace mercure::storescu
