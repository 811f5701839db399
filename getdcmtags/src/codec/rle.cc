// RLE compression (PS3.5 annex G): each byte of each sample is a plane of its own, most significant first.
#include <array>
#include <cstdint>
#include <span>

#include "codec/codecs.h"
#include "tags/byte_order.h"

namespace mercure::codec {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::size_t kMostSegments = 15;
using Bytes = std::span<const std::uint8_t>;

// Spreads one unpacked segment over `samples`: its bytes go to `first`, `first + step` … False when it is too short.
bool unpack(Bytes packed, std::size_t count, std::size_t first, std::size_t step, std::string& samples) {
  std::size_t done = 0;
  const auto put = [&](std::uint8_t byte) { samples[first + step * done++] = static_cast<char>(byte); };
  for (std::size_t at = 0; at < packed.size() && done < count;) {
    const std::uint8_t head = packed[at++];
    if (head == 128) continue;  // no operation
    const bool literal = head < 128;
    const std::size_t run = literal ? head + 1U : 257U - head;
    for (std::size_t i = 0; i < run && done < count; ++i) {
      const std::size_t from = literal ? at + i : at;
      if (from >= packed.size()) return false;
      put(packed[from]);
    }
    at += literal ? run : 1;
  }
  return done == count;
}

}  // namespace

std::string decode_rle(const Task& task, std::string& samples) {
  const auto& pixels = task.pixels;
  const Bytes frame(reinterpret_cast<const std::uint8_t*>(task.frame.data()), task.frame.size());
  if (frame.size() < kHeader) return "the RLE header is missing";
  const std::size_t width = pixels.bits_allocated / 8U;
  const std::size_t segments = tags::number_at<std::uint32_t>(frame.data(), false);
  if (segments > kMostSegments || segments != width * pixels.samples) {
    return "it has " + std::to_string(segments) + " RLE segments instead of " + std::to_string(width * pixels.samples);
  }
  const std::size_t count = std::size_t{pixels.rows} * pixels.columns;
  const std::size_t step = width * pixels.samples;
  samples.resize(count * step);
  for (std::size_t segment = 0; segment < segments; ++segment) {
    const std::size_t begin = tags::number_at<std::uint32_t>(frame.data() + 4 + 4 * segment, false);
    const std::size_t next = segment + 1 < segments
                                 ? tags::number_at<std::uint32_t>(frame.data() + 8 + 4 * segment, false)
                                 : frame.size();
    if (begin < kHeader || begin > next || next > frame.size()) return "the offsets in the RLE header make no sense";
    const std::size_t sample = segment / width;
    const std::size_t byte = width - 1 - segment % width;  // the most significant comes first
    if (!unpack(frame.subspan(begin, next - begin), count, sample * width + byte, step, samples)) {
      return "RLE segment " + std::to_string(segment + 1) + " ends too early";
    }
  }
  return {};
}

}  // namespace mercure::codec
