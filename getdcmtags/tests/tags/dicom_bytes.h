// DICOM files for tests, byte by byte, so that they can be as wrong as wanted.
#ifndef MERCURE_TESTS_DICOM_BYTES_H
#define MERCURE_TESTS_DICOM_BYTES_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tags/tag_record.h"

namespace mercure::testing {

inline constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitBig = "1.2.840.10008.1.2.2";
inline constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";
inline constexpr std::uint32_t kUndefined = 0xFFFFFFFF;

std::string number(std::uint64_t value, std::size_t bytes, bool big_endian = false);
std::string tag(std::uint32_t tag, bool big_endian = false);

// An element with the length of its value, or with a length that is not true.
std::string explicit_element(std::uint32_t tag, std::string_view vr, std::string_view value, bool big_endian = false);
std::string explicit_header(std::uint32_t tag, std::string_view vr, std::uint32_t length, bool big_endian = false);
std::string implicit_element(std::uint32_t tag, std::string_view value);
std::string implicit_header(std::uint32_t tag, std::uint32_t length);

std::string item(std::string_view content);
std::string open_item(std::string_view content);      // of undefined length
std::string open_sequence(std::string_view items);    // what follows the header of one of undefined length

std::string meta_header(std::string_view transfer_syntax);
std::string dicom_file(std::string_view data_set, std::string_view transfer_syntax = kExplicitLittle);

// The elements that name an image, in explicit VR little endian.
std::string identity();

// A file that is not on any disk, removed with the object.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  void grow_to(std::uint64_t size);
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

mercure::tags::Result read(std::string_view content, const mercure::tags::Limits& limits = {});

// The record of a file that must be readable; its JSON is parsed, so it is checked to be JSON and UTF-8.
nlohmann::json record_of(std::string_view content, const mercure::tags::Limits& limits = {});

// The same for a data set in explicit VR little endian.
nlohmann::json record_of_data_set(std::string_view data_set, const mercure::tags::Limits& limits = {});

}  // namespace mercure::testing

#endif
