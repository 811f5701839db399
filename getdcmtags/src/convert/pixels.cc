#include "convert/pixels.h"

#include <algorithm>

namespace mercure::convert {

void swap_numbers(std::string& bytes, std::size_t width) {
  for (std::size_t at = 0; width > 1 && at + width <= bytes.size(); at += width) {
    std::reverse(&bytes[at], &bytes[at] + width);
  }
}

std::string interleaved(const std::string& planes, std::size_t samples, std::size_t width) {
  const std::size_t count = planes.size() / (samples * width);
  std::string pixels(planes.size(), '\0');
  for (std::size_t sample = 0; sample < samples; ++sample) {
    for (std::size_t place = 0; place < count; ++place) {
      planes.copy(&pixels[(place * samples + sample) * width], width, (sample * count + place) * width);
    }
  }
  return pixels;
}

}  // namespace mercure::convert
