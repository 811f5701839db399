#include "codec/codecs.h"

#include <array>
#include <exception>
#include <new>

namespace mercure::codec {
namespace {

// In the order of convert::Codec.
constexpr std::array<Decode, 5> kDecoders{decode_jpeg, decode_jpeg, decode_jpeg_2000, decode_rle, decode_deflate};

}  // namespace

std::string decode(const Task& task, std::string& samples) {
  samples.clear();
  const auto place = static_cast<std::size_t>(task.syntax.codec);
  if (place >= kDecoders.size()) return "there is no such codec";
  try {
    return kDecoders[place](task, samples);
  } catch (const std::bad_alloc&) {
    return "it takes more memory than it may";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace mercure::codec
