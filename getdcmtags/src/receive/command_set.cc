#include "receive/command_set.h"

#include <algorithm>

namespace mercure::receive {

namespace {

// Elements of group 0000, PS3.7 table E.1-1.
enum Element : std::uint16_t {
  kGroupLength = 0x0000,
  kAffectedSOPClassUID = 0x0002,
  kCommandField = 0x0100,
  kMessageID = 0x0110,
  kMessageIDBeingRespondedTo = 0x0120,
  kCommandDataSetType = 0x0800,
  kStatus = 0x0900,
  kErrorComment = 0x0902,
  kAffectedSOPInstanceUID = 0x1000,
};

constexpr std::uint16_t kNoDataSet = 0x0101;
constexpr std::size_t kCommentBytes = 64;
constexpr std::size_t kUidBytes = 64;

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t index = size; index-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[at + index]);
  return number;
}

void add_number(std::string& bytes, std::uint32_t number, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) bytes += static_cast<char>(number >> (8 * index) & 0xff);
}

void add_header(std::string& bytes, Element element, std::size_t length) {
  add_number(bytes, 0, 2);
  add_number(bytes, element, 2);
  add_number(bytes, static_cast<std::uint32_t>(length), 4);
}

void add_short(std::string& bytes, Element element, std::uint16_t value) {
  add_header(bytes, element, 2);
  add_number(bytes, value, 2);
}

void add_text(std::string& bytes, Element element, std::string_view value, char padding) {
  if (value.empty()) return;
  add_header(bytes, element, value.size() + value.size() % 2);
  bytes += value;
  if (value.size() % 2 != 0) bytes += padding;
}

std::uint16_t short_in(std::string_view value) {
  return value.size() < 2 ? std::uint16_t{0} : static_cast<std::uint16_t>(number_at(value, 0, 2));
}

std::string trimmed(std::string_view value) {
  const auto end = value.find_last_not_of(std::string_view(" \0", 2));
  return std::string(value.substr(0, end == std::string_view::npos ? 0 : end + 1));
}

}  // namespace

std::optional<Command> parse_command(std::string_view bytes) {
  Command command;
  std::uint16_t data_set_type = kNoDataSet;
  bool has_field = false;
  while (!bytes.empty()) {
    if (bytes.size() < 8) return std::nullopt;
    const std::uint32_t group = number_at(bytes, 0, 2);
    const std::uint32_t element = number_at(bytes, 2, 2);
    const std::size_t length = number_at(bytes, 4, 4);
    bytes.remove_prefix(8);
    if (group != 0 || length > bytes.size()) return std::nullopt;
    const std::string_view value = bytes.substr(0, length);
    bytes.remove_prefix(length);
    switch (element) {
      case kAffectedSOPClassUID: command.sop_class = trimmed(value); break;
      case kCommandField: command.field = short_in(value), has_field = true; break;
      case kMessageID: command.message_id = short_in(value); break;
      case kCommandDataSetType: data_set_type = short_in(value); break;
      case kAffectedSOPInstanceUID: command.sop_instance = trimmed(value); break;
      default: break;
    }
  }
  if (!has_field) return std::nullopt;
  command.has_data_set = data_set_type != kNoDataSet;
  return command;
}

std::string response_to(const Command& request, std::uint16_t status, std::string_view comment) {
  std::string body;
  add_text(body, kAffectedSOPClassUID, std::string_view(request.sop_class).substr(0, kUidBytes), '\0');
  add_short(body, kCommandField, request.field | kResponseBit);
  add_short(body, kMessageIDBeingRespondedTo, request.message_id);
  add_short(body, kCommandDataSetType, kNoDataSet);
  add_short(body, kStatus, status);
  add_text(body, kErrorComment, comment.substr(0, kCommentBytes), ' ');
  add_text(body, kAffectedSOPInstanceUID, std::string_view(request.sop_instance).substr(0, kUidBytes), '\0');

  std::string bytes;
  add_header(bytes, kGroupLength, 4);
  add_number(bytes, static_cast<std::uint32_t>(body.size()), 4);
  return bytes + body;
}

}  // namespace mercure::receive
