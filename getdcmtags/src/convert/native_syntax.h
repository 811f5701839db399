// The transfer syntaxes without compression, and how their data sets are encoded (PS3.5 section 10 and annex A).
#ifndef MERCURE_CONVERT_NATIVE_SYNTAX_H
#define MERCURE_CONVERT_NATIVE_SYNTAX_H

#include <optional>
#include <string_view>

#include "tags/element_reader.h"

namespace mercure::convert {

inline constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";

struct NativeSyntax {
  std::string_view uid;
  tags::Encoding encoding;
  bool deflated = false;
  bool big_endian_pixels = false;  // GE's private syntax: all but the pixel data is little endian
};

// Nothing for a syntax that is compressed, private or unknown: its pixel data cannot be copied from one to the other.
std::optional<NativeSyntax> native_syntax(std::string_view uid);

}  // namespace mercure::convert

#endif
