#include "storescu/association.h"

#include <dcmtk/dcmnet/cond.h>
#include <dcmtk/ofstd/ofstd.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "convert/data_set.h"
#include "descriptor.h"
#include "receipt.h"
#include "uids.h"

namespace mercure::storescu {
namespace {

constexpr std::size_t kLongestCommand = 64 * 1024;

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

int whole_seconds(Seconds seconds) { return std::max(1, static_cast<int>(std::ceil(seconds.count()))); }

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

Association::Association(const Options& options, Clock::time_point total, convert::FrameCodec& codec)
    : options_(options), deadline_(total), layer_(deadline_, state_, options.acse_timeout), answer_watch_(options.answer_watch),
      codec_(codec) {
  ASC_initializeNetwork(NET_REQUESTOR, 0, whole_seconds(options.acse_timeout), &network_);
  ASC_setTransportLayer(network_, &layer_, 0);
  dcmConnectionTimeout.set(whole_seconds(options.connect_timeout));
}

Association::~Association() {
  abandon();
  ASC_dropNetwork(&network_);
}

// Forgets the association; its connection is closed with it.
void Association::abandon() {
  layer_.forget();
  if (association_) ASC_destroyAssociation(&association_);
  association_ = nullptr;
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

std::optional<Problem> Association::open(const std::vector<Context>& contexts) {
  state_ = {};
  early_.clear();
  violation_.clear();
  stray_data_set_ = false;
  T_ASC_Parameters* parameters = nullptr;
  if (!network_ || create_parameters(parameters, static_cast<long>(options_.max_pdu)).bad()) {
    return Problem{Kind::local, "DCMTK's network layer could not be started"};
  }
  const std::string address = options_.host + ':' + std::to_string(options_.port);
  OFStandard::strlcpy(parameters->ourImplementationClassUID, kImplementationClassUid,
                      sizeof parameters->ourImplementationClassUID);
  OFStandard::strlcpy(parameters->ourImplementationVersionName, kImplementationVersion,
                      sizeof parameters->ourImplementationVersionName);
  ASC_setAPTitles(parameters, options_.calling_aet.c_str(), options_.called_aet.c_str(), nullptr);
  ASC_setPresentationAddresses(parameters, "localhost", address.c_str());
  const std::string version = std::string(kImplementationVersion) + (options_.router.empty() ? "" : '_' + options_.router);
  OFStandard::strlcpy(parameters->ourImplementationClassUID, kImplementationClassUid,
                      sizeof parameters->ourImplementationClassUID);
  OFStandard::strlcpy(parameters->ourImplementationVersionName, version.c_str(),
                      sizeof parameters->ourImplementationVersionName);
  // No asynchronous operations window and no other extended negotiation: some senders' software drops the association
  // when it is asked for what it does not know (LESSONS 40).
  if (!add_contexts(parameters, contexts)) {
    ASC_destroyAssociationParameters(&parameters);
    return Problem{Kind::local, "the presentation contexts could not be made"};
  }
  deadline_.begin(options_.connect_timeout);
  const OFCondition condition = ASC_requestAssociation(network_, parameters, &association_, nullptr, nullptr, DUL_NOBLOCK,
                                                       whole_seconds(options_.acse_timeout));
  if (condition.good()) return std::nullopt;
  Problem problem = opening_failed(condition);
  if (association_) {
    abandon();
  } else {
    ASC_destroyAssociationParameters(&parameters);
  }
  return problem;
}

Problem Association::opening_failed(const OFCondition& condition) {
  const std::string place = options_.host + ':' + std::to_string(options_.port);
  if (condition == DUL_ASSOCIATIONREJECTED && association_) {
    T_ASC_RejectParameters rejection;
    if (ASC_getRejectParameters(association_->params, &rejection).good()) return {kind_of(rejection), rejection_text(rejection)};
    return {Kind::rejected, "the target rejected the association"};
  }
  if (!state_.connected) return {Kind::unreachable, "no connection to " + place + ": " + condition.text()};
  if (state_.expiry == Deadline::Expiry::stopped) return {Kind::stopped, "told to stop"};
  if (state_.expiry == Deadline::Expiry::total) {
    return {Kind::timeout, "not done within " + limit_text(options_.total_timeout)};
  }
  if (state_.expiry || condition == DUL_READTIMEOUT) {
    return {Kind::timeout, "the target did not answer the association request within " + limit_text(options_.acse_timeout)};
  }
  if (condition == DUL_PEERABORTEDASSOCIATION) return {Kind::aborted, "the target aborted during negotiation"};
  if (state_.lost) return {Kind::aborted, "the target closed the connection during negotiation"};
  return {Kind::aborted, std::string("negotiation failed: ") + condition.text()};
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
  OFCondition sent = send_command(context, store_request(message_id, image.sop_class, image.sop_instance));
  if (sent.good()) sent = send_data_set(context, data_set, image, message_id);
  if (own_fault_) return broken(sent, "");
  return answer_to(message_id, image, sent);
}

// Collects what is converted into fragments. The last one waits until it is known to be the last.
class Association::ConvertedSink final : public convert::Sink {
 public:
  ConvertedSink(Association& association, unsigned char context, const Image& image, std::uint16_t message_id)
      : association_(association), context_(context), image_(image), message_id_(message_id) {
    association.buffer_.resize(association.association_->sendPDVLength & ~std::size_t{1});
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
  OFCondition finish() {
    const bool is_split = association_.answer_watch_ > Seconds(0) && is_first_ && used_ >= 4;
    if (is_split && !send((used_ / 2) & ~std::size_t{1}, false)) return condition_;
    condition_ = association_.look_for_early_answer(message_id_, image_);
    if (condition_.good() && used_ % 2 != 0) association_.buffer_[used_++] = '\0';
    if (condition_.good()) send(used_, true);
    return condition_;
  }

  OFCondition condition() const { return condition_; }

 private:
  bool send(std::size_t count, bool last) {
    auto& buffer = association_.buffer_;
    condition_ = association_.send_fragment(context_, DUL_DATASETPDV, last, buffer.data(), count);
    std::memmove(buffer.data(), buffer.data() + count, used_ - count);
    used_ -= count;
    is_first_ = false;
    return condition_.good();
  }

  Association& association_;
  unsigned char context_;
  const Image& image_;
  std::uint16_t message_id_;
  std::size_t used_ = 0;
  bool is_first_ = true;
  OFCondition condition_ = EC_Normal;
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
  OFCondition sent = send_command(context, store_request(message_id, image.sop_class, image.sop_instance));
  if (sent.good() && !conversion.write(sink)) {
    if (sink.condition().good()) own_fault_ = {Cause::local, what + conversion.reason()};
    if (conversion.encoding_failed()) encoder = conversion.reason();
    return broken(sink.condition(), "while it was sent");
  }
  if (sent.good()) sent = sink.finish();
  return answer_to(message_id, image, sent);
}

std::uint16_t Association::begin_message() {
  deadline_.begin(options_.dimse_timeout);
  layer_.transport()->cork();
  layer_.transport()->allow_per_progress(options_.dimse_timeout);
  return association_->nextMsgID++;
}

// Waits for the answer to an image that was sent, or not to its end.
Answer Association::answer_to(std::uint16_t message_id, const Image& image, const OFCondition& sent) {
  if (sent.bad() || !layer_.transport()->uncork()) return broken(sent, "while it was sent");
  deadline_.begin(options_.dimse_timeout);
  std::string command = std::move(early_);
  early_.clear();
  const OFCondition received = command.empty() ? receive_command(command, Until::answer) : EC_Normal;
  if (received.bad()) return broken(received, "before the target answered");
  const auto response = parse_store_response(command);
  std::string objection = objection_to(response, message_id, image.sop_instance);
  if (!objection.empty()) return broken(violated(std::move(objection)), "");
  stray_data_set_ = response->data_set_follows;
  const Meaning meaning = meaning_of(response->status);
  const bool silent = response->comment.empty();
  return {{meaning.outcome, response->status, silent ? std::string(meaning.text) : response->comment}, std::nullopt};
}

OFCondition Association::violated(std::string how) {
  violation_ = std::move(how);
  return DUL_ILLEGALPDU;
}

// A success that comes before the last fragment has left cannot be about the image: the target does not have it. A
// refusal can. An answer that is still on its way at that moment looks like a right one; `answer_watch` waits for it.
OFCondition Association::look_for_early_answer(std::uint16_t message_id, const Image& image) {
  if (answer_watch_ > Seconds(0) && !layer_.transport()->flush()) return DUL_NETWORKCLOSED;
  const bool news = layer_.transport()->has_news(answer_watch_);
  answer_watch_ = Seconds(0);
  if (!news) return EC_Normal;
  deadline_.begin(options_.dimse_timeout);
  const OFCondition received = receive_command(early_, Until::answer_or_end_of_data_set);
  if (received.bad() || early_.empty()) return received;
  const auto response = parse_store_response(early_);
  std::string objection = objection_to(response, message_id, image.sop_instance);
  if (!objection.empty()) return violated(std::move(objection));
  const Outcome outcome = meaning_of(response->status).outcome;
  if (outcome == Outcome::refused || outcome == Outcome::failed) return EC_Normal;
  answer_watch_ = options_.answer_watch;
  return violated("the target answered before it had the whole image");
}

OFCondition Association::send_fragment(unsigned char context, DUL_DATAPDV type, bool last, char* bytes, std::size_t size) {
  DUL_PDV pdv;
  pdv.fragmentLength = size;
  pdv.presentationContextID = context;
  pdv.pdvType = type;
  pdv.lastPDV = last;
  pdv.data = bytes;
  DUL_PDVLIST list{};
  list.count = 1;
  list.pdv = &pdv;
  return DUL_WritePDVs(&association_->DULassociation, &list);
}

OFCondition Association::send_command(unsigned char context, std::string command) {
  return send_fragment(context, DUL_COMMANDPDV, true, command.data(), command.size());
}

// What differs from what was received must not arrive: the last fragment leaves when all is compared.
OFCondition Association::send_data_set(unsigned char context, DataSetReader& data_set, const Image& image,
                                       std::uint16_t message_id) {
  buffer_.resize(association_->sendPDVLength & ~std::size_t{1});
  OFCondition sent = EC_Normal;
  bool is_first = true;
  while (data_set.left() > 0 && sent.good()) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), data_set.left()));
    // An image of one fragment has no moment between its first and its last one in which to look for an answer.
    if (answer_watch_ > Seconds(0) && std::exchange(is_first, false) && wanted == data_set.left() && wanted >= 4) {
      wanted = (wanted / 2) & ~std::size_t{1};
    }
    const bool is_read = data_set.read(buffer_.data(), wanted);
    const bool is_last = data_set.left() == 0;
    if (!is_read || (is_last && !data_set.is_as_received())) {
      own_fault_ = data_set.fault();
      return EC_Normal;
    }
    // Every fragment has an even length (PS3.8 annex E); DCMTK and others abort at an odd one.
    const bool odd = wanted % 2 != 0;
    if (odd) buffer_[wanted] = '\0';
    if (is_last) sent = look_for_early_answer(message_id, image);
    if (sent.good()) sent = send_fragment(context, DUL_DATASETPDV, is_last, buffer_.data(), wanted + (odd ? 1 : 0));
  }
  return sent;
}

// Passes over the data set that the last answer announced.
OFCondition Association::receive_command(std::string& command, Until until) {
  while (command.size() <= kLongestCommand) {
    DUL_PDV pdv;
    OFCondition condition = DUL_NextPDV(&association_->DULassociation, &pdv);
    if (condition.bad()) {
      condition = DUL_ReadPDVs(&association_->DULassociation, nullptr, DUL_NOBLOCK, whole_seconds(options_.dimse_timeout));
      if (condition != DUL_PDATAPDUARRIVED) return condition.good() ? DUL_NETWORKCLOSED : condition;
      continue;
    }
    if (pdv.pdvType != DUL_COMMANDPDV) {
      if (!stray_data_set_ || !command.empty()) return violated("the target sent a data set where an answer belongs");
      stray_data_set_ = !pdv.lastPDV;
      if (pdv.lastPDV && until == Until::answer_or_end_of_data_set) return EC_Normal;
      continue;
    }
    command.append(static_cast<const char*>(pdv.data), pdv.fragmentLength);
    if (pdv.lastPDV) return EC_Normal;
  }
  return DUL_ILLEGALPDULENGTH;
}

// The association is of no use any more. What is known of the reason decides what is said of the image.
Answer Association::broken(const OFCondition& condition, const std::string& what) {
  Problem problem{Kind::aborted, {}};
  const Cause cause = own_fault_.cause;
  if (own_fault_) {
    problem = {Kind::local, std::exchange(own_fault_, {}).text};
  } else if (!violation_.empty()) {
    problem = {Kind::violation, std::move(violation_)};
    violation_.clear();
  } else if (state_.expiry == Deadline::Expiry::stopped) {
    problem = {Kind::stopped, "told to stop " + what};
  } else if (state_.expiry == Deadline::Expiry::total) {
    problem = {Kind::timeout, "the limit of " + limit_text(options_.total_timeout) + " for everything passed " + what};
  } else if (state_.expiry || condition == DUL_READTIMEOUT) {
    problem = {Kind::timeout, "nothing happened for " + limit_text(options_.dimse_timeout) + ' ' + what};
  } else if (condition == DUL_PEERABORTEDASSOCIATION) {
    problem.text = "the target aborted the association " + what;
  } else if (condition == DUL_PEERREQUESTEDRELEASE) {
    problem.text = "the target ended the association " + what;
  } else if (state_.lost) {
    problem.text = "the connection was lost " + what;
  } else {
    problem.text = "the association was ended " + what;
    if (condition.bad()) problem.text += std::string(": ") + condition.text();
  }
  if (!state_.lost && condition != DUL_PEERABORTEDASSOCIATION && layer_.transport()->uncork()) {
    ASC_abortAssociation(association_);
  }
  abandon();
  return {{Outcome::failed, std::nullopt, problem.text, cause}, problem};
}

void Association::release() {
  if (!association_) return;
  deadline_.begin(options_.acse_timeout);
  const OFCondition condition = ASC_releaseAssociation(association_);
  if (condition.bad() && !state_.lost && condition != DUL_PEERABORTEDASSOCIATION) ASC_abortAssociation(association_);
  abandon();
}

}  // namespace mercure::storescu
