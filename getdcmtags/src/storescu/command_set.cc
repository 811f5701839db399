#include "storescu/command_set.h"

#include <algorithm>

#include "tags/byte_order.h"
#include "tags/transcoder.h"

namespace mercure::storescu {
namespace {

// Elements of group 0000.
enum Element : std::uint16_t {
  kGroupLength = 0x0000,
  kAffectedSopClass = 0x0002,
  kCommandField = 0x0100,
  kMessageId = 0x0110,
  kMessageIdAnswered = 0x0120,
  kPriority = 0x0700,
  kDataSetType = 0x0800,
  kStatus = 0x0900,
  kErrorComment = 0x0902,
  kAffectedSopInstance = 0x1000,
};

constexpr std::uint16_t kCStoreRequest = 0x0001;
constexpr std::uint16_t kCStoreResponse = 0x8001;
constexpr std::uint16_t kMediumPriority = 0x0000;
constexpr std::uint16_t kDataSetFollows = 0x0001;
constexpr std::uint16_t kNoDataSet = 0x0101;
constexpr std::size_t kHeader = 8;

std::string little_endian(std::uint32_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
  return bytes;
}

std::string element(Element number, std::string_view value) {
  return little_endian(0, 2) + little_endian(number, 2) + little_endian(static_cast<std::uint32_t>(value.size()), 4) +
         std::string(value);
}

std::string element(Element number, std::uint16_t value) { return element(number, little_endian(value, 2)); }

std::string even(std::string_view uid) {
  std::string padded(uid);
  if (padded.size() % 2 != 0) padded += '\0';
  return padded;
}

template <typename Unsigned>
std::optional<Unsigned> number_in(std::string_view bytes) {
  if (bytes.size() < sizeof(Unsigned)) return std::nullopt;
  return tags::number_at<Unsigned>(reinterpret_cast<const std::uint8_t*>(bytes.data()), false);
}

// The value of one element, and `bytes` moved past it. Nothing when they are torn.
std::optional<std::string_view> take_value(std::string_view& bytes) {
  const auto length = number_in<std::uint32_t>(bytes.substr(4));
  if (!length || *length > bytes.size() - kHeader) return std::nullopt;
  const auto value = bytes.substr(kHeader, *length);
  bytes.remove_prefix(kHeader + *length);
  return value;
}

// A number of two bytes. Some write it with more of them: the value is the same as long as those are zero.
std::optional<std::uint16_t> short_in(std::string_view value) {
  if (value.substr(std::min<std::size_t>(value.size(), 2)).find_first_not_of('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  return number_in<std::uint16_t>(value);
}

// Without the padding: NUL by PS3.5 section 9.1, a blank by habit of some.
std::string uid_of(std::string_view value) {
  return std::string(value.substr(0, value.find_last_not_of(std::string_view(" \0", 2)) + 1));
}

std::string comment_of(std::string_view value) {
  std::string text;
  tags::append_utf8(value.substr(0, value.find_last_not_of(std::string_view(" \0", 2)) + 1), text);
  return text;
}

}  // namespace

std::string store_request(std::uint16_t message_id, std::string_view sop_class, std::string_view sop_instance) {
  const std::string elements = element(kAffectedSopClass, even(sop_class)) + element(kCommandField, kCStoreRequest) +
                               element(kMessageId, message_id) + element(kPriority, kMediumPriority) +
                               element(kDataSetType, kDataSetFollows) + element(kAffectedSopInstance, even(sop_instance));
  return element(kGroupLength, little_endian(static_cast<std::uint32_t>(elements.size()), 4)) + elements;
}

std::optional<StoreResponse> parse_store_response(std::string_view bytes) {
  StoreResponse response;
  std::optional<std::uint16_t> field;
  std::optional<std::uint16_t> status;
  while (bytes.size() >= kHeader) {
    const auto group = number_in<std::uint16_t>(bytes);
    const auto number = number_in<std::uint16_t>(bytes.substr(2));
    const auto value = take_value(bytes);
    if (group != 0 || !value) return std::nullopt;
    // What stands there twice says two things.
    if ((number == kStatus && status) || (number == kMessageIdAnswered && response.message_id)) return std::nullopt;
    if (number == kCommandField) field = short_in(*value);
    if (number == kStatus) status = short_in(*value);
    if (number == kMessageIdAnswered) response.message_id = short_in(*value);
    if (number == kAffectedSopInstance) response.sop_instance = uid_of(*value);
    if (number == kDataSetType) response.data_set_follows = short_in(*value) != kNoDataSet;
    if (number == kErrorComment) response.comment = comment_of(*value);
  }
  if (!bytes.empty() || field != kCStoreResponse || !status) return std::nullopt;
  response.status = *status;
  return response;
}

// Targets answer in odd ways. What leaves no doubt about which image and what became of it is taken: no Affected SOP
// UIDs (PS3.7 table 9.1-1 leaves them to the target), no group length, a number in four bytes, the announcement of a
// data set that a C-STORE response never has, another SOP class (which does not say which image). All else is none.
std::string objection_to(const std::optional<StoreResponse>& response, std::uint16_t message_id,
                         std::string_view sop_instance) {
  if (!response) return "the target sent an answer that is none to a C-STORE";
  if (!response->message_id) return "the target's answer does not say which message it answers";
  if (response->message_id != message_id) return "the target answered another message than the one sent";
  if (!response->sop_instance.empty() && response->sop_instance != sop_instance) {
    return "the target's answer names another instance than the one sent";
  }
  return {};
}

}  // namespace mercure::storescu
