#include "dimse/command_set.h"

#include <algorithm>

#include "tags/byte_order.h"
#include "tags/transcoder.h"

namespace mercure::dimse {

namespace {

// Elements of group 0000, PS3.7 table E.1-1.
enum Number : std::uint16_t {
  kGroupLength = 0x0000,
  kAffectedSOPClassUID = 0x0002,
  kCommandField = 0x0100,
  kMessageID = 0x0110,
  kMessageIDBeingRespondedTo = 0x0120,
  kPriority = 0x0700,
  kCommandDataSetType = 0x0800,
  kStatus = 0x0900,
  kErrorComment = 0x0902,
  kAffectedSOPInstanceUID = 0x1000,
};

constexpr std::uint16_t kMediumPriority = 0x0000;
constexpr std::uint16_t kDataSetFollows = 0x0001;
constexpr std::uint16_t kNoDataSet = 0x0101;
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kCommentBytes = 64;
constexpr std::size_t kUidBytes = 64;

void add_number(std::string& bytes, std::uint32_t number, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) bytes += static_cast<char>(number >> (8 * index) & 0xff);
}

// Writes a command set: Implicit VR Little Endian, without sequences.
class Writer {
 public:
  void add(Number element, std::uint16_t value) {
    add_header(bytes_, element, 2);
    add_number(bytes_, value, 2);
  }

  void add(Number element, std::string_view value, char padding = '\0') {
    add_header(bytes_, element, value.size() + value.size() % 2);
    bytes_ += value;
    if (value.size() % 2 != 0) bytes_ += padding;
  }

  // The elements with the group length before them.
  std::string finish() const {
    std::string whole;
    add_header(whole, kGroupLength, 4);
    add_number(whole, static_cast<std::uint32_t>(bytes_.size()), 4);
    return whole + bytes_;
  }

 private:
  static void add_header(std::string& bytes, Number element, std::size_t length) {
    add_number(bytes, 0, 2);
    add_number(bytes, element, 2);
    add_number(bytes, static_cast<std::uint32_t>(length), 4);
  }

  std::string bytes_;
};

template <typename Unsigned>
Unsigned number_at(std::string_view bytes, std::size_t at) {
  return tags::number_at<Unsigned>(reinterpret_cast<const std::uint8_t*>(bytes.data()) + at, false);
}

struct Element {
  std::uint16_t number;
  std::string_view value;
};

// The next element, and `bytes` moved past it. Nothing when it is torn or of another group.
std::optional<Element> take_element(std::string_view& bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const auto group = number_at<std::uint16_t>(bytes, 0);
  const auto number = number_at<std::uint16_t>(bytes, 2);
  const std::size_t length = number_at<std::uint32_t>(bytes, 4);
  if (group != 0 || length > bytes.size() - kHeaderBytes) return std::nullopt;
  const Element element{number, bytes.substr(kHeaderBytes, length)};
  bytes.remove_prefix(kHeaderBytes + length);
  return element;
}

std::uint16_t short_or_zero(std::string_view value) {
  return value.size() < 2 ? std::uint16_t{0} : number_at<std::uint16_t>(value, 0);
}

// A number of two bytes. Some write it with more of them: the value is the same as long as those are zero.
std::optional<std::uint16_t> exact_short(std::string_view value) {
  const auto rest = value.substr(std::min<std::size_t>(value.size(), 2));
  if (value.size() < 2 || rest.find_first_not_of('\0') != std::string_view::npos) return std::nullopt;
  return number_at<std::uint16_t>(value, 0);
}

// Without the padding: NUL by PS3.5 section 9.1, a blank by habit of some.
std::string_view trimmed(std::string_view value) {
  return value.substr(0, value.find_last_not_of(std::string_view(" \0", 2)) + 1);
}

}  // namespace

std::optional<Command> parse_command(std::string_view bytes) {
  Command command;
  std::uint16_t data_set_type = kNoDataSet;
  bool has_field = false;
  while (!bytes.empty()) {
    const auto element = take_element(bytes);
    if (!element) return std::nullopt;
    switch (element->number) {
      case kAffectedSOPClassUID: command.sop_class = trimmed(element->value); break;
      case kCommandField: command.field = short_or_zero(element->value), has_field = true; break;
      case kMessageID: command.message_id = short_or_zero(element->value); break;
      case kCommandDataSetType: data_set_type = short_or_zero(element->value); break;
      case kAffectedSOPInstanceUID: command.sop_instance = trimmed(element->value); break;
      default: break;
    }
  }
  if (!has_field) return std::nullopt;
  command.has_data_set = data_set_type != kNoDataSet;
  return command;
}

std::string response_to(const Command& request, std::uint16_t status, std::string_view comment) {
  const auto sop_class = std::string_view(request.sop_class).substr(0, kUidBytes);
  const auto sop_instance = std::string_view(request.sop_instance).substr(0, kUidBytes);
  Writer response;
  if (!sop_class.empty()) response.add(kAffectedSOPClassUID, sop_class);
  response.add(kCommandField, request.field | kResponseBit);
  response.add(kMessageIDBeingRespondedTo, request.message_id);
  response.add(kCommandDataSetType, kNoDataSet);
  response.add(kStatus, status);
  if (!comment.empty()) response.add(kErrorComment, comment.substr(0, kCommentBytes), ' ');
  if (!sop_instance.empty()) response.add(kAffectedSOPInstanceUID, sop_instance);
  return response.finish();
}

std::string store_request(std::uint16_t message_id, std::string_view sop_class, std::string_view sop_instance) {
  Writer request;
  request.add(kAffectedSOPClassUID, sop_class);
  request.add(kCommandField, kCStoreRequest);
  request.add(kMessageID, message_id);
  request.add(kPriority, kMediumPriority);
  request.add(kCommandDataSetType, kDataSetFollows);
  request.add(kAffectedSOPInstanceUID, sop_instance);
  return request.finish();
}

std::optional<StoreResponse> parse_store_response(std::string_view bytes) {
  StoreResponse response;
  std::optional<std::uint16_t> field;
  std::optional<std::uint16_t> status;
  while (!bytes.empty()) {
    const auto element = take_element(bytes);
    if (!element) return std::nullopt;
    const auto& [number, value] = *element;
    // What stands there twice says two things.
    if ((number == kStatus && status) || (number == kMessageIDBeingRespondedTo && response.message_id)) return std::nullopt;
    switch (number) {
      case kCommandField: field = exact_short(value); break;
      case kStatus: status = exact_short(value); break;
      case kMessageIDBeingRespondedTo: response.message_id = exact_short(value); break;
      case kAffectedSOPInstanceUID: response.sop_instance = trimmed(value); break;
      case kCommandDataSetType: response.data_set_follows = exact_short(value) != kNoDataSet; break;
      case kErrorComment: response.comment = tags::utf8(trimmed(value)); break;
      default: break;
    }
  }
  if (field != (kCStoreRequest | kResponseBit) || !status) return std::nullopt;
  response.status = *status;
  return response;
}

}  // namespace mercure::dimse
