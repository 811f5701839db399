// The transfer syntaxes with compressed frames that can be decoded, and what their pixels become (PS3.5 annex A.4).
#ifndef MERCURE_CONVERT_COMPRESSED_SYNTAX_H
#define MERCURE_CONVERT_COMPRESSED_SYNTAX_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "convert/pixels.h"

namespace mercure::convert {

enum class Codec : std::uint8_t { jpeg, jpeg_ls, jpeg_2000, rle, deflate };

struct CompressedSyntax {
  std::string_view uid;
  Codec codec;
};

// Nothing for video, JPIP, private and unknown syntaxes: no frames of theirs can be decoded one by one.
std::optional<CompressedSyntax> compressed_syntax(std::string_view uid);

// The photometric interpretation without compression (PS3.5 section 8.2): colours become RGB where the codec keeps them
// as luminance and colour differences, or transforms them itself; everything else stays as it is.
std::string decoded_photometric(Codec codec, const Pixels& pixels);

}  // namespace mercure::convert

#endif
