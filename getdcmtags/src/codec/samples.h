// The numbers in samples of 8 or 16 bits, and how many of their bits say something.
#ifndef MERCURE_CODEC_SAMPLES_H
#define MERCURE_CODEC_SAMPLES_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "convert/pixels.h"

namespace mercure::codec {

// One number, with its sign where the pixels have one.
inline std::int32_t sample_at(std::string_view samples, std::size_t place, const convert::Pixels& pixels) {
  if (pixels.bits_allocated == 8) {
    const auto byte = static_cast<std::uint8_t>(samples[place]);
    return pixels.is_signed ? static_cast<std::int8_t>(byte) : byte;
  }
  const auto low = static_cast<std::uint8_t>(samples[2 * place]);
  const auto high = static_cast<std::uint8_t>(samples[2 * place + 1]);
  const auto word = static_cast<std::uint16_t>(low | high << 8);
  return pixels.is_signed ? static_cast<std::int16_t>(word) : word;
}

// The bits that an encoder must keep: those stored, or all that are allocated where one of the others is not as the
// stored ones have it. Some writers keep overlays there (retired), some nothing that makes sense.
inline unsigned bits_used(std::string_view samples, const convert::Pixels& pixels) {
  const std::size_t count = samples.size() / (pixels.bits_allocated / 8U);
  const std::int32_t low = pixels.is_signed ? -(1 << (pixels.bits_stored - 1)) : 0;
  const std::int32_t high = (1 << (pixels.bits_stored - (pixels.is_signed ? 1 : 0))) - 1;
  for (std::size_t place = 0; place < count; ++place) {
    const std::int32_t value = sample_at(samples, place, pixels);
    if (value < low || value > high) return pixels.bits_allocated;
  }
  return pixels.bits_stored;
}

}  // namespace mercure::codec

#endif
