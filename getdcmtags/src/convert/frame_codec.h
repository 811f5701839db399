// Decodes and encodes one frame after the other. The codecs run in a process of their own (codec_process.h).
#ifndef MERCURE_CONVERT_FRAME_CODEC_H
#define MERCURE_CONVERT_FRAME_CODEC_H

#include <string>
#include <string_view>

#include "convert/compressed_syntax.h"
#include "convert/pixels.h"

namespace mercure::convert {

class FrameCodec {
 public:
  virtual ~FrameCodec() = default;

  // Puts the samples of one frame into `samples`: pixel by pixel, little endian, `pixels.bits_allocated` wide,
  // `pixels.frame_bytes()` in all, in the colours of decoded_photometric(). An empty text, or why it could not be done.
  virtual std::string decode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view frame,
                             std::string& samples) = 0;

  // Puts one frame without loss into `frame`, in a syntax that is made; its colours become encoded_photometric(). The
  // samples are as decode() gives them. An empty text, or why it could not be done.
  virtual std::string encode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view samples,
                             std::string& frame) = 0;
};

}  // namespace mercure::convert

#endif
