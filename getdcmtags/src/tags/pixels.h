// What pixel data looks like: the attributes of PS3.3 section C.7.6.3 that decide it, collected element by element.
#ifndef MERCURE_TAGS_PIXELS_H
#define MERCURE_TAGS_PIXELS_H

#include <cstdint>
#include <string>
#include <string_view>

#include "tags/dictionary.h"

namespace mercure::tags {

struct Pixels {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
  std::uint16_t samples = 1;
  std::uint16_t bits_allocated = 0;
  std::uint16_t bits_stored = 0;
  bool is_signed = false;
  bool by_plane = false;  // PlanarConfiguration 1
  bool is_elsewhere = false;  // PixelDataProviderURL: they are fetched from there
  std::uint32_t frames = 1;
  std::string photometric;

  // Whether the element is one of them.
  static bool describes(Tag tag);

  // Takes the value of such an element, in little endian.
  void take(Tag tag, std::string_view value);

  std::uint64_t frame_bytes() const;  // of one frame without compression

  // The least that all frames take without compression; 0 where that cannot be told.
  std::uint64_t whole_bytes() const;

  // Why such pixels cannot be decoded frame by frame; empty when they can.
  std::string problem() const;
};

}  // namespace mercure::tags

#endif
