// What a sender and its codec program say to each other: fixed heads in the machine's own byte order, since both run on it.
// A request is its head and a compressed frame or samples; an answer is its head and the other of the two, or a text that
// says why not.
#ifndef MERCURE_CONVERT_CODEC_PROTOCOL_H
#define MERCURE_CONVERT_CODEC_PROTOCOL_H

#include <array>
#include <cstdint>
#include <type_traits>

namespace mercure::convert {

struct CodecRequest {
  std::array<char, 65> transfer_syntax;
  std::array<char, 17> photometric;
  std::uint8_t codec;
  std::uint8_t encodes;
  std::uint8_t is_signed;
  std::uint8_t by_plane;
  std::uint16_t rows;
  std::uint16_t columns;
  std::uint16_t samples;
  std::uint16_t bits_allocated;
  std::uint16_t bits_stored;
  std::uint64_t bytes;  // of what follows
};

struct CodecAnswer {
  std::uint64_t bytes;
  std::uint8_t is_done;
};

static_assert(std::is_trivially_copyable_v<CodecRequest> && std::is_trivially_copyable_v<CodecAnswer>);

}  // namespace mercure::convert

#endif
