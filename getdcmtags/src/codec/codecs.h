// The codecs, each for one frame. They see the frame and its description, never a data set.
#ifndef MERCURE_CODEC_CODECS_H
#define MERCURE_CODEC_CODECS_H

#include <string>
#include <string_view>

#include "convert/compressed_syntax.h"
#include "convert/pixels.h"

namespace mercure::codec {

struct Task {
  convert::CompressedSyntax syntax;
  convert::Pixels pixels;
  std::string_view frame;
};

// Each puts the samples as convert::FrameCodec::decode() wants them, and returns why it could not, or nothing.
using Decode = std::string (*)(const Task& task, std::string& samples);

std::string decode_rle(const Task& task, std::string& samples);
std::string decode_deflate(const Task& task, std::string& samples);
std::string decode_jpeg(const Task& task, std::string& samples);  // JPEG and JPEG-LS
std::string decode_jpeg_2000(const Task& task, std::string& samples);

// Has DCMTK read its tables now: later no file can be opened.
void prepare_codecs();

// By the codec of the task.
std::string decode(const Task& task, std::string& samples);

}  // namespace mercure::codec

#endif
