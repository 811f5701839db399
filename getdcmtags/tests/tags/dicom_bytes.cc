#include "tags/dicom_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace mercure::testing {
namespace {

bool has_long_length(std::string_view vr) {
  static constexpr std::array<std::string_view, 13> kLong{"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                          "SV", "UC", "UN", "UR", "UT", "UV"};
  for (const auto& known : kLong) {
    if (vr == known) return true;
  }
  return false;
}

std::string padded(std::string_view value, char padding) {
  std::string even(value);
  if (even.size() % 2 != 0) even += padding;
  return even;
}

void check(bool done) {
  if (!done) throw std::runtime_error("a memory file could not be made");
}

}  // namespace

std::string number(std::uint64_t value, std::size_t bytes, bool big_endian) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[big_endian ? bytes - 1 - i : i] = static_cast<char>((value >> (8 * i)) & 0xFF);
  }
  return text;
}

std::string tag(std::uint32_t tag, bool big_endian) {
  return number(tag >> 16, 2, big_endian) + number(tag & 0xFFFF, 2, big_endian);
}

std::string explicit_header(std::uint32_t number_of_tag, std::string_view vr, std::uint32_t length, bool big_endian) {
  const std::string start = tag(number_of_tag, big_endian) + std::string(vr);
  if (has_long_length(vr)) return start + std::string(2, '\0') + number(length, 4, big_endian);
  return start + number(length, 2, big_endian);
}

std::string explicit_element(std::uint32_t tag, std::string_view vr, std::string_view value, bool big_endian) {
  return explicit_header(tag, vr, static_cast<std::uint32_t>(value.size()), big_endian) + std::string(value);
}

std::string implicit_header(std::uint32_t number_of_tag, std::uint32_t length) {
  return tag(number_of_tag) + number(length, 4);
}

std::string implicit_element(std::uint32_t tag, std::string_view value) {
  return implicit_header(tag, static_cast<std::uint32_t>(value.size())) + std::string(value);
}

std::string item(std::string_view content) { return implicit_element(0xFFFEE000, content); }

std::string open_item(std::string_view content) {
  return implicit_header(0xFFFEE000, kUndefined) + std::string(content) + implicit_header(0xFFFEE00D, 0);
}

std::string open_sequence(std::string_view items) { return std::string(items) + implicit_header(0xFFFEE0DD, 0); }

std::string meta_header(std::string_view transfer_syntax) {
  const std::string elements = explicit_element(0x00020010, "UI", padded(transfer_syntax, '\0'));
  return explicit_element(0x00020000, "UL", number(elements.size(), 4)) + elements;
}

std::string dicom_file(std::string_view data_set, std::string_view transfer_syntax) {
  return std::string(128, '\0') + "DICM" + meta_header(transfer_syntax) + std::string(data_set);
}

std::string identity() {
  return explicit_element(0x00080016, "UI", padded("1.2.840.10008.5.1.4.1.1.2", '\0')) +
         explicit_element(0x00080018, "UI", padded("1.2.3.4", '\0')) + explicit_element(0x00080050, "SH", "A1") +
         explicit_element(0x00080060, "CS", "CT") + explicit_element(0x00100020, "LO", "P1") +
         explicit_element(0x0020000D, "UI", padded("1.2.3", '\0')) +
         explicit_element(0x0020000E, "UI", padded("1.2.3.9", '\0'));
}

MemoryFile::MemoryFile(std::string_view content) : descriptor_(memfd_create("dicom", MFD_CLOEXEC)) {
  check(descriptor_ >= 0);
  check(write(descriptor_, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
}

MemoryFile::~MemoryFile() { close(descriptor_); }

void MemoryFile::grow_to(std::uint64_t size) { check(ftruncate(descriptor_, static_cast<off_t>(size)) == 0); }

mercure::tags::Result read(std::string_view content, const mercure::tags::Limits& limits) {
  return mercure::tags::read_descriptor(MemoryFile(content).descriptor(), {}, limits);
}

nlohmann::json record_of(std::string_view content, const mercure::tags::Limits& limits) {
  const auto result = read(content, limits);
  if (!result.ok) throw std::runtime_error("not readable: " + result.reason);
  return nlohmann::json::parse(result.json);
}

nlohmann::json record_of_data_set(std::string_view data_set, const mercure::tags::Limits& limits) {
  return record_of(dicom_file(data_set), limits);
}

}  // namespace mercure::testing
