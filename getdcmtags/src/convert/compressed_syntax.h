// The transfer syntaxes with compressed frames that can be decoded or made, and what pixels become (PS3.5 annex A.4).
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
  bool is_made = false;  // frames are encoded in it where a target asks for it: these are without loss
};

// Nothing for video, JPIP, private and unknown syntaxes: no frames of theirs can be decoded one by one.
std::optional<CompressedSyntax> compressed_syntax(std::string_view uid);

// The photometric interpretation without compression (PS3.5 section 8.2): colours become RGB where the codec keeps them
// as luminance and colour differences, or transforms them itself; everything else stays as it is.
std::string decoded_photometric(Codec codec, const Pixels& pixels);

// The photometric interpretation of what is encoded: JPEG 2000 transforms RGB (PS3.5 section 8.2.4).
std::string encoded_photometric(Codec codec, const Pixels& pixels);

// Why frames of such pixels are not encoded in a syntax; empty where they are.
std::string encoding_problem(const CompressedSyntax& syntax, const Pixels& pixels);

}  // namespace mercure::convert

#endif
