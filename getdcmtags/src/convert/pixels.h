// How the numbers of pixel data lie in memory.
#ifndef MERCURE_CONVERT_PIXELS_H
#define MERCURE_CONVERT_PIXELS_H

#include <cstddef>
#include <string>

#include "tags/pixels.h"

namespace mercure::convert {

using tags::Pixels;

// Turns the bytes of each number around; what is left over at the end stays.
void swap_numbers(std::string& bytes, std::size_t width);

// Turns planes into pixels: numbers of `width` bytes, `samples` a pixel.
std::string interleaved(const std::string& planes, std::size_t samples, std::size_t width);

}  // namespace mercure::convert

#endif
