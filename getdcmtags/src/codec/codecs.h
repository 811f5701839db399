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
  std::string_view bytes;  // a frame to decode, or samples to encode
};

// Each puts the samples as convert::FrameCodec::decode() wants them, and returns why it could not, or nothing.
using Decode = std::string (*)(const Task& task, std::string& samples);

std::string decode_rle(const Task& task, std::string& samples);
std::string decode_deflate(const Task& task, std::string& samples);
std::string decode_jpeg(const Task& task, std::string& samples);  // JPEG and JPEG-LS
std::string decode_jpeg_2000(const Task& task, std::string& samples);

// Each puts the frame as convert::FrameCodec::encode() wants it, of as many samples as the description says.
using Encode = std::string (*)(const Task& task, std::string& frame);

std::string encode_rle(const Task& task, std::string& frame);
std::string encode_jpeg_ls(const Task& task, std::string& frame);
std::string encode_jpeg_2000(const Task& task, std::string& frame);
std::string encode_high_throughput(const Task& task, std::string& frame);  // JPEG 2000 of part 15

// Has DCMTK read its tables now: later no file can be opened.
void prepare_codecs();

// By the codec of the task, or its syntax.
std::string decode(const Task& task, std::string& samples);
std::string encode(const Task& task, std::string& frame);

}  // namespace mercure::codec

#endif
