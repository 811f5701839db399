#include "dimse/messages.h"

#include <utility>

namespace mercure::dimse {

namespace {

// A presentation data value begins with its length, and that counts the context and control bytes.
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kContextAndControlBytes = 2;
constexpr std::size_t kValueHeaderBytes = kLengthBytes + kContextAndControlBytes;

// Less than this waits for what follows, so that a command and the start of its data set are one packet.
constexpr std::size_t kShortBytes = 4096;

std::size_t value_length(std::string_view value) {
  std::size_t length = 0;
  for (std::size_t index = 0; index < kLengthBytes; ++index) length = length << 8 | static_cast<std::uint8_t>(value[index]);
  return length;
}

}  // namespace

End Messages::broken(std::string fault) {
  fault_ = std::move(fault);
  return End::broken;
}

End Messages::unexpected(const Pdu& pdu) {
  return broken("an unexpected PDU of type " + std::to_string(static_cast<int>(pdu.type)));
}

End Messages::next_pdu(Pdu& pdu) {
  if (connection_.limit_passed()) return End::timed_out;
  switch (reader_.next(pdu)) {
    case PduReader::Outcome::no_more: return end_of_connection();
    case PduReader::Outcome::too_long: return broken("a PDU longer than agreed");
    case PduReader::Outcome::pdu: break;
  }
  connection_.limit().pdu_done();
  return pdu.type == PduType::abort ? End::aborted : End::none;
}

End Messages::next_data_pdu() {
  Pdu pdu;
  if (const End end = next_pdu(pdu); end != End::none) return end;
  if (pdu.type == PduType::release_request) return End::released;
  if (pdu.type != PduType::data) return unexpected(pdu);
  if (pdu.body.empty()) return broken("a PDU without a value");
  values_ = pdu.body;
  return End::none;
}

End Messages::next(Fragment& fragment) {
  if (values_.empty()) {
    if (const End end = next_data_pdu(); end != End::none) return end;
  }
  if (values_.size() < kValueHeaderBytes) return broken("a torn presentation data value");
  const std::size_t length = value_length(values_);
  if (length < kContextAndControlBytes || length > values_.size() - kLengthBytes) {
    return broken("a presentation data value that does not fit its PDU");
  }
  const auto control = static_cast<std::uint8_t>(values_[5]);
  fragment.context = static_cast<std::uint8_t>(values_[4]);
  fragment.is_command = (control & 1) != 0;
  fragment.is_last = (control & 2) != 0;
  fragment.bytes = values_.substr(kValueHeaderBytes, length - kContextAndControlBytes);
  values_.remove_prefix(kLengthBytes + length);
  return End::none;
}

End Messages::next_command(std::uint8_t& context, std::string& bytes) {
  bytes.clear();
  Fragment fragment;
  do {
    const bool is_first = bytes.empty();
    if (const End end = next(fragment); end != End::none) return end;
    if (!fragment.is_command) return broken("a data set without a command");
    if (is_first) context = fragment.context;
    if (fragment.context != context) return broken("a command set on two presentation contexts");
    if (bytes.size() + fragment.bytes.size() > kMaxCommandBytes) return broken("a command set that is too long");
    bytes += fragment.bytes;
  } while (!fragment.is_last);
  return End::none;
}

End Messages::next_of_data_set(std::uint8_t context, Fragment& fragment) {
  const End end = next(fragment);
  if (end != End::none) return end;
  if (fragment.is_command) return broken("a command within a data set");
  if (fragment.context != context) return broken("a data set on two presentation contexts");
  return end;
}

End Messages::skip_data_set(std::uint8_t context, std::uint64_t limit) {
  Fragment fragment;
  std::uint64_t skipped = 0;
  do {
    if (const End end = next_of_data_set(context, fragment); end != End::none) return end;
    skipped += fragment.bytes.size();
    if (skipped > limit) return broken("a refused data set that does not end");
  } while (!fragment.is_last);
  return End::none;
}

bool Messages::has_news(std::chrono::milliseconds most) const {
  return !values_.empty() || reader_.has_more() || connection_.has_bytes(most);
}

End Messages::send(std::uint8_t context, std::string_view command) {
  hold(context, command);
  const End end = flush();
  connection_.limit().pdu_done();
  return end;
}

void Messages::hold(std::uint8_t context, std::string_view command) {
  connection_.hold(data_pdus(context, command, peer_max_pdu_));
}

End Messages::send_fragment(std::uint8_t context, std::string_view bytes, bool is_last) {
  connection_.hold(data_pdu_header(context, false, is_last, bytes.size()));
  if (bytes.size() >= kShortBytes) return connection_.send(bytes) ? End::none : end_of_connection();
  connection_.hold(bytes);
  return connection_.held() < kShortBytes ? End::none : flush();
}

End Messages::flush() { return connection_.send() ? End::none : end_of_connection(); }

// What the peer had sent before it read our request is passed over. When both ask at the same time, the peer is answered, too, and then
// only its own answer has a place (PS3.8 section 9.2.3: state 7, actions AR-8 and AR-9, and state 11).
End Messages::release() {
  connection_.hold(release_request());
  End end = flush();
  Pdu pdu;
  bool both_asked = false;
  while (end == End::none) {
    end = next_pdu(pdu);
    if (end != End::none || pdu.type == PduType::release_response) return end;
    const bool is_request = pdu.type == PduType::release_request;
    if (both_asked || (!is_request && pdu.type != PduType::data)) return unexpected(pdu);
    if (is_request && !connection_.send(release_response())) return end_of_connection();
    both_asked = is_request;
  }
  return end;
}

}  // namespace mercure::dimse
