// Deflated frames (PS3.5 annex A.4.13): each frame is a raw deflate stream of its native samples.
#include <zlib.h>

#include <memory>

#include "codec/codecs.h"

namespace mercure::codec {
std::string decode_deflate(const Task& task, std::string& samples) {
  samples.resize(task.pixels.frame_bytes());
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "not enough memory to inflate it";
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, &inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(task.bytes.data()));
  stream.avail_in = static_cast<uInt>(task.bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(samples.data());
  stream.avail_out = static_cast<uInt>(samples.size());
  const int state = inflate(&stream, Z_FINISH);
  if (state != Z_STREAM_END || stream.avail_out != 0) return "the deflated frame is damaged or of another size";
  if (task.pixels.by_plane && task.pixels.samples > 1) {
    samples = convert::interleaved(samples, task.pixels.samples, task.pixels.bits_allocated / 8U);
  }
  return {};
}

}  // namespace mercure::codec
