#include "tags/pixels.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "tags/byte_order.h"

namespace mercure::tags {
namespace {

struct Attribute {
  Tag tag;
  void (*set)(Pixels&, std::uint16_t);
};

constexpr Tag kPhotometricInterpretation{0x0028, 0x0004};
constexpr Tag kNumberOfFrames{0x0028, 0x0008};
constexpr Tag kProviderUrl{0x0028, 0x7FE0};
constexpr std::uint32_t kMostFrames = 1 << 24;  // with more nobody counts bytes
constexpr std::uint16_t kMostSamples = 4;
constexpr std::uint16_t kMostBits = 64;

constexpr std::array<Attribute, 7> kNumbers{{
    {{0x0028, 0x0002}, [](Pixels& pixels, std::uint16_t value) { pixels.samples = value; }},
    {{0x0028, 0x0006}, [](Pixels& pixels, std::uint16_t value) { pixels.by_plane = value == 1; }},
    {{0x0028, 0x0010}, [](Pixels& pixels, std::uint16_t value) { pixels.rows = value; }},
    {{0x0028, 0x0011}, [](Pixels& pixels, std::uint16_t value) { pixels.columns = value; }},
    {{0x0028, 0x0100}, [](Pixels& pixels, std::uint16_t value) { pixels.bits_allocated = value; }},
    {{0x0028, 0x0101}, [](Pixels& pixels, std::uint16_t value) { pixels.bits_stored = value; }},
    {{0x0028, 0x0103}, [](Pixels& pixels, std::uint16_t value) { pixels.is_signed = value == 1; }},
}};

const Attribute* number_of(Tag tag) {
  const auto* found = std::find_if(kNumbers.begin(), kNumbers.end(), [&](const auto& it) { return it.tag == tag; });
  return found != kNumbers.end() ? found : nullptr;
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlank(" \0", 2);
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

bool Pixels::describes(Tag tag) {
  return tag == kPhotometricInterpretation || tag == kNumberOfFrames || tag == kProviderUrl || number_of(tag) != nullptr;
}

void Pixels::take(Tag tag, std::string_view value) {
  if (const auto* number = number_of(tag); number && value.size() == 2) {
    number->set(*this, number_at<std::uint16_t>(reinterpret_cast<const std::uint8_t*>(value.data()), false));
  }
  const auto text = without_blanks(value);
  if (tag == kPhotometricInterpretation) photometric = text;
  if (tag == kProviderUrl) is_elsewhere = !text.empty();
  if (tag != kNumberOfFrames) return;
  frames = 0;
  const auto* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, frames).ptr != end) frames = 0;
  if (text.empty()) frames = 1;
}

std::uint64_t Pixels::frame_bytes() const {
  return std::uint64_t{rows} * columns * samples * (bits_allocated / 8U);
}

// Two pixels of YBR_FULL_422 and its like share their colour (PS3.3 section C.7.6.3.1.2).
std::uint64_t Pixels::whole_bytes() const {
  const bool known = samples >= 1 && samples <= kMostSamples && bits_allocated >= 1 && bits_allocated <= kMostBits && frames <= kMostFrames;
  if (!known) return 0;
  const std::uint64_t stored = samples == 3 && photometric.ends_with("_422") ? 2 : samples;
  const std::uint64_t in_frame = std::uint64_t{rows} * columns * stored * bits_allocated;
  return (in_frame * frames + 7) / 8;
}

std::string Pixels::problem() const {
  if (rows == 0 || columns == 0) return "it names no rows or columns";
  if (frames == 0) return "its number of frames cannot be read";
  if (samples != 1 && samples != 3) return "it has " + std::to_string(samples) + " samples a pixel";
  const bool known = bits_allocated == 8 || bits_allocated == 16 || bits_allocated == 32;
  if (!known) return "it has " + std::to_string(bits_allocated) + " bits a sample";
  if (bits_stored == 0 || bits_stored > bits_allocated) return "its bits stored do not fit its bits allocated";
  return {};
}

}  // namespace mercure::tags
