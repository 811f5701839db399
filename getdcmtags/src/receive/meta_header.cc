#include "receive/meta_header.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mercure::receive {

namespace {

constexpr std::size_t kPreambleBytes = 128;

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

}  // namespace

std::string encode(const MetaHeader& header) {
  std::string group;
  add_tag(group, 0x0001, "OB");  // FileMetaInformationVersion: 32-bit length after two reserved bytes
  add_number(group, 0, 2);
  add_number(group, 2, 4);
  add_number(group, 0x0100, 2);
  add_text(group, 0x0002, "UI", header.sop_class);
  add_text(group, 0x0003, "UI", header.sop_instance);
  add_text(group, 0x0010, "UI", header.transfer_syntax);
  add_text(group, 0x0012, "UI", kImplementationClassUid);
  add_text(group, 0x0013, "SH", kImplementationVersion);
  add_text(group, 0x0016, "AE", header.source_aet);

  std::string bytes(kPreambleBytes, '\0');
  bytes += "DICM";
  add_tag(bytes, 0x0000, "UL");
  add_number(bytes, 4, 2);
  add_number(bytes, group.size(), 4);
  return bytes + group;
}

}  // namespace mercure::receive
