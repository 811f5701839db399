#include "convert/loss.h"

#include <algorithm>
#include <array>

namespace mercure::convert {
namespace {

constexpr std::array<std::string_view, 3> kAlwaysLossy{"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51",
                                                       "1.2.840.10008.1.2.4.53"};

std::uint8_t byte_at(std::string_view bytes, std::size_t place) {
  return place < bytes.size() ? static_cast<std::uint8_t>(bytes[place]) : std::uint8_t{0};
}

// What stands behind the length of the first segment with this marker, in the header of a JPEG-LS or JPEG 2000 codestream.
std::string_view segment(std::string_view codestream, std::uint8_t marker) {
  for (std::size_t at = 2; at + 4 <= codestream.size() && byte_at(codestream, at) == 0xFF;) {
    const std::size_t length = byte_at(codestream, at + 2) * 256U + byte_at(codestream, at + 3);
    if (byte_at(codestream, at + 1) == marker) return codestream.substr(at + 4, std::max<std::size_t>(length, 2) - 2);
    at += 2 + length;
  }
  return {};
}

// NEAR stands behind the components of the scan (ISO/IEC 14495-1 annex C.2.3).
bool is_near_lossless(std::string_view frame) {
  const auto scan = segment(frame, 0xDA);
  return byte_at(scan, 1 + 2U * byte_at(scan, 0)) > 0;
}

// The wavelet that cannot be undone exactly is number 0 (ISO/IEC 15444-1 annex A.6.1).
bool is_irreversible(std::string_view frame) {
  constexpr std::size_t kTransformation = 9;
  const auto style = segment(frame, 0x52);
  return style.size() > kTransformation && byte_at(style, kTransformation) == 0;
}

}  // namespace

bool is_lossy(const CompressedSyntax& syntax, std::string_view first_bytes) {
  if (std::find(kAlwaysLossy.begin(), kAlwaysLossy.end(), syntax.uid) != kAlwaysLossy.end()) return true;
  if (syntax.codec == Codec::jpeg_ls) return is_near_lossless(first_bytes);
  return syntax.codec == Codec::jpeg_2000 && is_irreversible(first_bytes);
}

std::string_view method_of_loss(const CompressedSyntax& syntax) {
  constexpr std::string_view kHighThroughput = "1.2.840.10008.1.2.4.20";
  if (syntax.codec == Codec::jpeg_ls) return "ISO_14495_1";
  if (syntax.codec != Codec::jpeg_2000) return "ISO_10918_1";
  return syntax.uid.substr(0, kHighThroughput.size()) == kHighThroughput ? "ISO_15444_15" : "ISO_15444_1";
}

}  // namespace mercure::convert
