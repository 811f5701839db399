#include "codec/codecs.h"

#include <array>
#include <exception>
#include <new>
#include <utility>

namespace mercure::codec {
namespace {

// In the order of convert::Codec.
constexpr std::array<Decode, 5> kDecoders{decode_jpeg, decode_jpeg, decode_jpeg_2000, decode_rle, decode_deflate};

// By transfer syntax: one codec may have several.
constexpr std::array<std::pair<std::string_view, Encode>, 4> kEncoders{{
    {"1.2.840.10008.1.2.5", encode_rle},
    {"1.2.840.10008.1.2.4.80", encode_jpeg_ls},
    {"1.2.840.10008.1.2.4.90", encode_jpeg_2000},
    {"1.2.840.10008.1.2.4.201", encode_high_throughput},
}};

template <typename Function>
std::string guarded(Function function, const Task& task, std::string& made) {
  made.clear();
  try {
    return function(task, made);
  } catch (const std::bad_alloc&) {
    return "it takes more memory than it may";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

std::string decode(const Task& task, std::string& samples) {
  const auto place = static_cast<std::size_t>(task.syntax.codec);
  return place < kDecoders.size() ? guarded(kDecoders[place], task, samples) : "there is no such codec";
}

std::string encode(const Task& task, std::string& frame) {
  if (task.bytes.size() != task.pixels.frame_bytes()) return "its samples are fewer or more than it should have";
  for (const auto& [uid, function] : kEncoders) {
    if (uid == task.syntax.uid) return guarded(function, task, frame);
  }
  return "there is no such encoder";
}

}  // namespace mercure::codec
