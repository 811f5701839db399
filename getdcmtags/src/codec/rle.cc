// RLE compression (PS3.5 annex G): each byte of each sample is a plane of its own, most significant first.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

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

// Packs bytes by PackBits: runs of three and more, and what is between them as it is. A run does not pass the end of a
// row (PS3.5 annex G.3.1).
void pack_row(Bytes row, std::string& packed) {
  constexpr std::size_t kMost = 128;
  const auto run_at = [&](std::size_t at) {
    std::size_t length = 1;
    while (at + length < row.size() && length < kMost && row[at + length] == row[at]) ++length;
    return length;
  };
  for (std::size_t at = 0; at < row.size();) {
    if (const std::size_t run = run_at(at); run >= 2) {
      packed += static_cast<char>(257 - run);
      packed += static_cast<char>(row[at]);
      at += run;
      continue;
    }
    std::size_t end = at + 1;
    while (end < row.size() && end - at < kMost && run_at(end) < 3) ++end;
    packed += static_cast<char>(end - at - 1);
    packed.append(reinterpret_cast<const char*>(&row[at]), end - at);
    at = end;
  }
}

void put_number(std::string& frame, std::size_t at, std::size_t number) {
  for (std::size_t byte = 0; byte < 4; ++byte) frame[at + byte] = static_cast<char>(number >> (8 * byte) & 0xFF);
}

}  // namespace

std::string encode_rle(const Task& task, std::string& frame) {
  const auto& pixels = task.pixels;
  const std::size_t width = pixels.bits_allocated / 8U;
  const std::size_t segments = width * pixels.samples;
  frame.assign(kHeader, '\0');
  put_number(frame, 0, segments);
  std::vector<std::uint8_t> row(pixels.columns);
  for (std::size_t segment = 0; segment < segments; ++segment) {
    put_number(frame, 4 + 4 * segment, frame.size());
    const std::size_t first = segment / width * width + width - 1 - segment % width;  // the most significant comes first
    for (std::size_t line = 0; line < pixels.rows; ++line) {
      const char* from = &task.bytes[line * pixels.columns * segments + first];
      for (std::size_t place = 0; place < row.size(); ++place) row[place] = static_cast<std::uint8_t>(from[place * segments]);
      pack_row(row, frame);
    }
    if (frame.size() % 2 != 0) frame += '\0';  // of each segment (annex G.5)
  }
  return {};
}

std::string decode_rle(const Task& task, std::string& samples) {
  const auto& pixels = task.pixels;
  const Bytes frame(reinterpret_cast<const std::uint8_t*>(task.bytes.data()), task.bytes.size());
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
