// Any bytes as a file: the tag library must end soon, with a record that is JSON on one line or with a reason.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tags/tag_record.h"

namespace {

// Small enough that every limit is met by files of the size that a fuzzer makes.
mercure::tags::Limits limits() {
  mercure::tags::Limits small;
  small.header_bytes = 64 * 1024;
  small.inflated_bytes = 256 * 1024;
  small.elements = 2'000;
  small.nesting = 20;
  small.record_nesting = 8;
  small.text_bytes = 256;
  small.record_bytes = 16 * 1024;
  return small;
}

int file_of(const std::uint8_t* data, std::size_t size) {
  const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
  if (descriptor < 0 || write(descriptor, data, size) != static_cast<ssize_t>(size)) std::abort();
  return descriptor;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int descriptor = file_of(data, size);
  const auto result = mercure::tags::read_descriptor(descriptor, {{"FileName", "fuzz"}}, limits());
  close(descriptor);
  const bool one_line = result.json.find('\n') == std::string::npos;
  const bool sound = result.ok ? one_line && nlohmann::json::accept(result.json) : !result.reason.empty();
  if (!sound) std::abort();
  return 0;
}
