// Any bytes as a frame of one codec: it decodes to samples of the size that they are said to have, or says why not; and what
// it decodes it can encode, without a change, where it is a syntax that we make. FUZZED_SYNTAX says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "codec/codecs.h"

namespace {

using namespace mercure;

constexpr std::size_t kDescription = 5;

convert::Pixels described_by(const std::uint8_t* data) {
  convert::Pixels pixels;
  pixels.rows = static_cast<std::uint16_t>(data[0] + 1);
  pixels.columns = static_cast<std::uint16_t>(data[1] + 1);
  pixels.samples = (data[2] & 1) != 0 ? 3 : 1;
  pixels.is_signed = (data[2] & 2) != 0;
  pixels.by_plane = (data[2] & 4) != 0;
  pixels.bits_allocated = static_cast<std::uint16_t>(8 << (data[3] % 3));
  pixels.bits_stored = static_cast<std::uint16_t>(data[4] % pixels.bits_allocated + 1);
  pixels.photometric = pixels.samples == 3 ? ((data[2] & 8) != 0 ? "YBR_FULL" : "RGB") : "MONOCHROME2";
  return pixels;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool prepared = (codec::prepare_codecs(), true);
  if (size < kDescription || !prepared) return 0;
  codec::Task task{*convert::compressed_syntax(FUZZED_SYNTAX), described_by(data), {}};
  task.bytes = {reinterpret_cast<const char*>(data + kDescription), size - kDescription};
  std::string samples;
  const std::string problem = codec::decode(task, samples);
  if (!problem.empty()) return 0;
  if (samples.size() != task.pixels.frame_bytes()) std::abort();
  task.pixels.by_plane = false;
  task.pixels.photometric = convert::decoded_photometric(task.syntax.codec, task.pixels);
  if (!convert::encoding_problem(task.syntax, task.pixels).empty()) return 0;
  std::string frame;
  std::string again;
  task.bytes = samples;
  if (!codec::encode(task, frame).empty()) return 0;
  task.pixels.photometric = convert::encoded_photometric(task.syntax.codec, task.pixels);
  task.bytes = frame;
  // An encoder that makes something else is no fault: the sender compares, too. RLE is ours, and must not.
  if (!codec::decode(task, again).empty() || again != samples) {
    if (task.syntax.codec == convert::Codec::rle) std::abort();
  }
  return 0;
}
