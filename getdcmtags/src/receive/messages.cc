#include "receive/messages.h"

#include <utility>

namespace mercure::receive {

namespace {

// A command set takes some hundred bytes; what is longer is no command.
constexpr std::size_t kMaxCommandBytes = 64 << 10;

// A presentation data value begins with its length, and that counts the context and control bytes.
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kContextAndControlBytes = 2;
constexpr std::size_t kValueHeaderBytes = kLengthBytes + kContextAndControlBytes;

std::size_t value_length(std::string_view value) {
  std::size_t length = 0;
  for (std::size_t index = 0; index < kLengthBytes; ++index) length = length << 8 | static_cast<std::uint8_t>(value[index]);
  return length;
}

}  // namespace

Messages::Event Messages::broken(std::string fault) {
  fault_ = std::move(fault);
  return Event::broken;
}

Messages::Event Messages::end_of_connection() const { return connection_.expired() ? Event::timed_out : Event::lost; }

Messages::Event Messages::next_data_pdu() {
  if (connection_.limit_passed()) return Event::timed_out;
  Pdu pdu;
  switch (reader_.next(pdu)) {
    case PduReader::Outcome::no_more: return end_of_connection();
    case PduReader::Outcome::too_long: return broken("a PDU longer than agreed");
    case PduReader::Outcome::pdu: break;
  }
  deadlines_.progress(Deadlines::Clock::now());
  if (pdu.type == PduType::release_request) return Event::released;
  if (pdu.type == PduType::abort) return Event::aborted;
  if (pdu.type != PduType::data) return broken("an unexpected PDU of type " + std::to_string(static_cast<int>(pdu.type)));
  if (pdu.body.empty()) return broken("a PDU without a value");
  values_ = pdu.body;
  return Event::fragment;
}

Messages::Event Messages::next(Fragment& fragment) {
  if (values_.empty()) {
    if (const Event event = next_data_pdu(); event != Event::fragment) return event;
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
  return Event::fragment;
}

Messages::Event Messages::next_command(std::uint8_t& context, std::string& bytes) {
  bytes.clear();
  Fragment fragment;
  do {
    const bool is_first = bytes.empty();
    if (const Event event = next(fragment); event != Event::fragment) return event;
    if (!fragment.is_command) return broken("a data set without a command");
    if (is_first) context = fragment.context;
    if (fragment.context != context) return broken("a command set on two presentation contexts");
    if (bytes.size() + fragment.bytes.size() > kMaxCommandBytes) return broken("a command set that is too long");
    bytes += fragment.bytes;
  } while (!fragment.is_last);
  return Event::fragment;
}

Messages::Event Messages::next_of_data_set(std::uint8_t context, Fragment& fragment) {
  const Event event = next(fragment);
  if (event != Event::fragment) return event;
  if (fragment.is_command) return broken("a command within a data set");
  if (fragment.context != context) return broken("a data set on two presentation contexts");
  return event;
}

Messages::Event Messages::skip_data_set(std::uint8_t context, std::uint64_t limit) {
  Fragment fragment;
  std::uint64_t skipped = 0;
  do {
    if (const Event event = next_of_data_set(context, fragment); event != Event::fragment) return event;
    skipped += fragment.bytes.size();
    if (skipped > limit) return broken("a refused data set that does not end");
  } while (!fragment.is_last);
  return Event::fragment;
}

Messages::Event Messages::send(std::uint8_t context, std::string_view command) {
  const bool sent = connection_.send(data_pdus(context, command, peer_max_pdu_));
  deadlines_.progress(Deadlines::Clock::now());
  return sent ? Event::fragment : end_of_connection();
}

}  // namespace mercure::receive
