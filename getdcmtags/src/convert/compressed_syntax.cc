#include "convert/compressed_syntax.h"

#include <algorithm>
#include <array>

namespace mercure::convert {
namespace {

constexpr std::array<CompressedSyntax, 15> kSyntaxes{{
    {"1.2.840.10008.1.2.4.50", Codec::jpeg},              // baseline
    {"1.2.840.10008.1.2.4.51", Codec::jpeg},              // extended
    {"1.2.840.10008.1.2.4.57", Codec::jpeg},              // lossless
    {"1.2.840.10008.1.2.4.70", Codec::jpeg},              // lossless, selection value 1
    {"1.2.840.10008.1.2.4.80", Codec::jpeg_ls, true},     // lossless
    {"1.2.840.10008.1.2.4.81", Codec::jpeg_ls},           // near-lossless
    {"1.2.840.10008.1.2.4.90", Codec::jpeg_2000, true},   // lossless
    {"1.2.840.10008.1.2.4.91", Codec::jpeg_2000},
    {"1.2.840.10008.1.2.4.201", Codec::jpeg_2000, true},  // high throughput, lossless
    {"1.2.840.10008.1.2.4.202", Codec::jpeg_2000},        // high throughput, lossless, ordered by resolution
    {"1.2.840.10008.1.2.4.203", Codec::jpeg_2000},        // high throughput
    {"1.2.840.10008.1.2.5", Codec::rle, true},
    {"1.2.840.10008.1.2.8.1", Codec::deflate},            // deflated frames
    {"1.2.840.10008.1.2.4.53", Codec::jpeg},              // spectral selection; retired
    {"1.2.840.10008.1.2.4.55", Codec::jpeg},              // full progression; retired
}};

// What each codec turns into RGB: JPEG as its decoders do, JPEG 2000 the transformations that are part of it.
bool becomes_rgb(Codec codec, std::string_view photometric) {
  if (codec == Codec::jpeg) return photometric == "YBR_FULL" || photometric == "YBR_FULL_422";
  return codec == Codec::jpeg_2000 && (photometric == "YBR_RCT" || photometric == "YBR_ICT");
}

}  // namespace

std::optional<CompressedSyntax> compressed_syntax(std::string_view uid) {
  const auto* found = std::find_if(kSyntaxes.begin(), kSyntaxes.end(), [&](const auto& it) { return it.uid == uid; });
  return found != kSyntaxes.end() ? std::optional(*found) : std::nullopt;
}

std::string decoded_photometric(Codec codec, const Pixels& pixels) {
  return pixels.samples == 3 && becomes_rgb(codec, pixels.photometric) ? "RGB" : pixels.photometric;
}

std::string encoded_photometric(Codec codec, const Pixels& pixels) {
  const bool transformed = codec == Codec::jpeg_2000 && pixels.samples == 3 && pixels.photometric == "RGB";
  return transformed ? "YBR_RCT" : pixels.photometric;
}

std::string encoding_problem(const CompressedSyntax& syntax, const Pixels& pixels) {
  if (!syntax.is_made) return "nothing is converted to it";
  if (std::string problem = pixels.problem(); !problem.empty()) return problem;
  // Its two chroma samples stand for two pixels: no frame of the size that its description says.
  if (pixels.photometric.find("_42") != std::string::npos) return "its colours are " + pixels.photometric;
  const bool is_wide = pixels.bits_allocated > 16 && syntax.codec != Codec::rle;
  return is_wide ? "it has " + std::to_string(pixels.bits_allocated) + " bits a sample" : std::string();
}

}  // namespace mercure::convert
