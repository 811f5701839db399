// Deflated frames (PS3.5 annex A.4.13): each frame is a raw deflate stream of its native samples.
#include <zlib.h>

#include <memory>

#include "codec/codecs.h"

namespace mercure::codec {
namespace {

// Turns planes into pixels.
std::string interleaved(const std::string& planes, std::size_t samples, std::size_t width) {
  const std::size_t count = planes.size() / (samples * width);
  std::string pixels(planes.size(), '\0');
  for (std::size_t sample = 0; sample < samples; ++sample) {
    for (std::size_t place = 0; place < count; ++place) {
      planes.copy(&pixels[(place * samples + sample) * width], width, (sample * count + place) * width);
    }
  }
  return pixels;
}

}  // namespace

std::string decode_deflate(const Task& task, std::string& samples) {
  samples.resize(task.pixels.frame_bytes());
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "not enough memory to inflate it";
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, &inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(task.frame.data()));
  stream.avail_in = static_cast<uInt>(task.frame.size());
  stream.next_out = reinterpret_cast<Bytef*>(samples.data());
  stream.avail_out = static_cast<uInt>(samples.size());
  const int state = inflate(&stream, Z_FINISH);
  if (state != Z_STREAM_END || stream.avail_out != 0) return "the deflated frame is damaged or of another size";
  if (task.pixels.by_plane && task.pixels.samples > 1) {
    samples = interleaved(samples, task.pixels.samples, task.pixels.bits_allocated / 8U);
  }
  return {};
}

}  // namespace mercure::codec
