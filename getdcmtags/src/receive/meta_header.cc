#include "receive/meta_header.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tags/json_writer.h"
#include "tags/transcoder.h"

namespace mercure::receive {

namespace {

constexpr std::size_t kPreambleBytes = 128;
constexpr std::size_t kUidBytes = 64;     // PS3.5 section 6.2
constexpr std::size_t kTitleBytes = 16;
constexpr std::size_t kUsualBytes = 1024;       // of a whole header; a longer one grows
constexpr std::size_t kCommandUidBytes = 1024;  // of a hostile command; longer ones are cut

void add_number(std::string& bytes, std::size_t number, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) bytes += static_cast<char>(number >> (8 * index) & 0xff);
}

void add_tag(std::string& bytes, std::uint16_t element, std::string_view vr) {
  add_number(bytes, 0x0002, 2);
  add_number(bytes, element, 2);
  bytes += vr;
}

// Explicit VR Little Endian with a 16-bit length, padded to an even one.
void add_text(std::string& bytes, std::uint16_t element, std::string_view vr, std::string_view value) {
  if (value.empty()) return;
  add_tag(bytes, element, vr);
  add_number(bytes, value.size() + value.size() % 2, 2);
  bytes += value;
  if (value.size() % 2 != 0) bytes += vr == "UI" ? '\0' : ' ';
}

void add_uid(std::string& bytes, std::uint16_t element, std::string_view uid) {
  if (uid.size() <= kUidBytes) add_text(bytes, element, "UI", uid);
}

// With a 32-bit length after two reserved bytes.
void add_bytes(std::string& bytes, std::uint16_t element, std::string_view value) {
  add_tag(bytes, element, "OB");
  add_number(bytes, 0, 2);
  add_number(bytes, value.size(), 4);
  bytes += value;
}

std::string receipt_of(const MetaHeader& header) {
  const Sender& sender = header.sender;
  tags::JsonWriter json(tags::JsonWriter::Style::compact);
  json.begin_object();
  json.key("v");
  json.integer(1);
  json.member("image", header.image);
  json.member("received", header.received);
  json.member("address", tags::utf8(sender.address));
  json.member("calling", tags::utf8(sender.calling_aet));
  json.member("called", tags::utf8(sender.called_aet));
  json.member("association", sender.association);
  json.member("sender", tags::utf8(sender.name));
  if (header.command) {
    json.member("class", tags::utf8(std::string_view(header.command->sop_class).substr(0, kCommandUidBytes)));
    json.member("instance", tags::utf8(std::string_view(header.command->sop_instance).substr(0, kCommandUidBytes)));
  }
  std::string text = json.take() + receipt::last_members(header.data_digest);
  if (text.size() % 2 != 0) text += ' ';
  return text;
}

}  // namespace

std::string encode(const MetaHeader& header) {
  std::string group;
  group.reserve(kUsualBytes);
  add_bytes(group, 0x0001, std::string_view("\0\1", 2));  // FileMetaInformationVersion
  add_uid(group, 0x0002, header.sop.sop_class);
  add_uid(group, 0x0003, header.sop.sop_instance);
  add_uid(group, 0x0010, header.transfer_syntax);
  add_uid(group, 0x0012, kImplementationClassUid);
  add_text(group, 0x0013, "SH", kImplementationVersion);
  add_text(group, 0x0016, "AE", std::string_view(header.sender.calling_aet).substr(0, kTitleBytes));
  add_text(group, 0x0018, "AE", std::string_view(header.sender.called_aet).substr(0, kTitleBytes));
  add_uid(group, 0x0100, kImplementationClassUid);
  add_bytes(group, 0x0102, receipt_of(header));

  std::string bytes;
  bytes.reserve(kUsualBytes);
  bytes.append(kPreambleBytes, '\0');
  bytes += "DICM";
  add_tag(bytes, 0x0000, "UL");
  add_number(bytes, 4, 2);
  add_number(bytes, group.size(), 4);
  bytes += group;
  receipt::seal(bytes);
  return bytes;
}

}  // namespace mercure::receive
