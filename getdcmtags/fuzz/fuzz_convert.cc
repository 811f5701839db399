// Any bytes as a data set: what the first walk measures the second must write, byte by byte of the length that it found,
// and what is written must be written again without a change.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "convert/data_set.h"
#include "descriptor.h"

namespace {

using namespace mercure;
using namespace mercure::convert;

constexpr std::array<std::string_view, 6> kSources{"1.2.840.10008.1.2",      "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2",
                                                   "1.2.840.10008.1.2.1.99", "1.2.840.113619.5.2",  "1.2.840.10008.1.2.5"};
constexpr std::array<std::string_view, 3> kDestinations{"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"};
constexpr std::size_t kLongest = 16 << 20;  // of a deflated bomb

// Gives frames back as they are, if they have the size of samples: the codecs have fuzzers of their own.
class Copy final : public FrameCodec {
 public:
  std::string decode(const CompressedSyntax&, const Pixels& pixels, std::string_view frame, std::string& samples) override {
    if (frame.size() < pixels.frame_bytes()) return "too short";
    samples = frame.substr(0, pixels.frame_bytes());
    return {};
  }

  std::string encode(const CompressedSyntax&, const Pixels&, std::string_view samples, std::string& frame) override {
    frame = samples;
    return {};
  }
};

class Collect final : public Sink {
 public:
  bool write(std::string_view bytes) override {
    written.append(bytes);
    return written.size() < kLongest;
  }

  std::string written;
};

// True with what was written; false where it could not be converted, with a reason.
bool convert_once(std::string_view data, std::string_view from, std::string_view to, std::string& written) {
  const Descriptor file(memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || write(file.get(), data.data(), data.size()) != static_cast<ssize_t>(data.size())) std::abort();
  Copy codec;
  Conversion conversion(file.get(), 0, data.size(), *Source::of(from), *Destination::of(to), &codec);
  if (!conversion.measure()) {
    if (conversion.reason().empty()) std::abort();
    return false;
  }
  Collect sink;
  const bool done = conversion.write(sink);
  written = std::move(sink.written);
  const bool too_long = written.size() >= kLongest;
  // Only what a codec says can come out in the second walk alone.
  const bool by_codec = conversion.reason().find("frame") != std::string::npos;
  if (!done && !too_long && !by_codec) std::abort();
  return done;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto from = kSources.at(data[0] % kSources.size());
  const auto to = kDestinations.at(data[1] % kDestinations.size());
  std::string once;
  if (!convert_once({reinterpret_cast<const char*>(data + 2), size - 2}, from, to, once) || once.empty()) return 0;
  // A sequence that is empty may look like anything, and a VR that is missing once cannot be told from its value twice.
  std::string twice;
  if (to == kDestinations[1] && convert_once(once, to, to, twice) && twice != once) std::abort();
  return 0;
}
