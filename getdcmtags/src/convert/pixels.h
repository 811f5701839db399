// What pixel data looks like: the attributes of PS3.3 section C.7.6.3 that decide it, collected element by element.
#ifndef MERCURE_CONVERT_PIXELS_H
#define MERCURE_CONVERT_PIXELS_H

#include <cstdint>
#include <string>
#include <string_view>

#include "tags/dictionary.h"

namespace mercure::convert {

struct Pixels {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
  std::uint16_t samples = 1;
  std::uint16_t bits_allocated = 0;
  std::uint16_t bits_stored = 0;
  bool is_signed = false;
  bool by_plane = false;  // PlanarConfiguration 1
  std::uint32_t frames = 1;
  std::string photometric;

  // Whether the element is one of them.
  static bool describes(tags::Tag tag);

  // Takes the value of such an element, in little endian.
  void take(tags::Tag tag, std::string_view value);

  std::uint64_t frame_bytes() const;  // of one frame without compression

  // Why such pixels cannot be decoded frame by frame; empty when they can.
  std::string problem() const;
};

// Turns the bytes of each number around; what is left over at the end stays.
void swap_numbers(std::string& bytes, std::size_t width);

// Turns planes into pixels: numbers of `width` bytes, `samples` a pixel.
std::string interleaved(const std::string& planes, std::size_t samples, std::size_t width);

}  // namespace mercure::convert

#endif
