#include "receive/messages.h"

#include <dcmtk/dcmnet/dul.h>

#include <utility>

namespace mercure::receive {

namespace {

// A command set takes some hundred bytes; what is longer is no command.
constexpr std::size_t kMaxCommandBytes = 64 << 10;

}  // namespace

Messages::Event Messages::broken(std::string fault) {
  fault_ = std::move(fault);
  return Event::broken;
}

Messages::Event Messages::end_of(const OFCondition& condition) {
  if (condition == DUL_PEERREQUESTEDRELEASE) return Event::released;
  if (transport_.expired()) return Event::timed_out;
  if (transport_.is_lost()) return Event::lost;
  if (condition == DUL_PEERABORTEDASSOCIATION) return Event::aborted;
  return broken(condition.text());
}

Messages::Event Messages::next(Fragment& fragment) {
  DUL_PDV value;
  if (DUL_NextPDV(&association_.DULassociation, &value).bad()) {
    if (transport_.out_of_patience()) return Event::timed_out;
    const OFCondition condition = DUL_ReadPDVs(&association_.DULassociation, nullptr, DUL_BLOCK, 0);
    if (condition != DUL_PDATAPDUARRIVED) return end_of(condition);
    patience_.progress(Patience::Clock::now());
    if (DUL_NextPDV(&association_.DULassociation, &value).bad()) return broken("a PDU without a value");
  }
  fragment.context = value.presentationContextID;
  fragment.is_command = value.pdvType == DUL_COMMANDPDV;
  fragment.is_last = value.lastPDV;
  fragment.bytes = std::string_view(static_cast<const char*>(value.data), value.fragmentLength);
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

Messages::Event Messages::send(std::uint8_t context, const std::string& command) {
  DUL_PDV value{};
  value.fragmentLength = command.size();
  value.presentationContextID = context;
  value.pdvType = DUL_COMMANDPDV;
  value.lastPDV = OFTrue;
  value.data = const_cast<char*>(command.data());  // DCMTK only reads it
  DUL_PDVLIST values{};
  values.count = 1;
  values.pdv = &value;
  transport_.hold();
  const OFCondition condition = DUL_WritePDVs(&association_.DULassociation, &values);
  const bool sent = transport_.send_held() && condition.good();
  patience_.progress(Patience::Clock::now());
  return sent ? Event::fragment : end_of(condition);
}

}  // namespace mercure::receive
