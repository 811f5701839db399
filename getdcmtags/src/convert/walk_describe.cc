// What describes the pixels changes where these are decoded or encoded. The first walk finds out how.
#include <array>
#include <cstdio>

#include "convert/loss.h"
#include "convert/walk.h"

namespace mercure::convert {
namespace {

using tags::Tag;

constexpr Tag kPhotometricInterpretation{0x0028, 0x0004};
constexpr Tag kPlanarConfiguration{0x0028, 0x0006};
constexpr Tag kLossyImageCompression{0x0028, 0x2110};
constexpr Tag kLossyRatio{0x0028, 0x2112};
constexpr Tag kLossyMethod{0x0028, 0x2114};
constexpr std::uint64_t kHeader = 8;  // of an added element, with and without a VR

std::string padded(std::string text) {
  if (text.size() % 2 != 0) text += ' ';
  return text;
}

std::string ratio_text(std::uint64_t whole, std::uint64_t compressed) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f", static_cast<double>(whole) / static_cast<double>(compressed));
  return text.data();
}

}  // namespace

bool may_be_altered(Tag tag) {
  return tag == kPhotometricInterpretation || tag == kPlanarConfiguration || tag == kLossyImageCompression ||
         tag == kLossyRatio || tag == kLossyMethod;
}

// Colours as the codecs leave them; pixel by pixel.
void Walk::describe_pixels() {
  const Pixels pixels = decoded_pixels();
  alter(kPhotometricInterpretation, encodes() ? encoded_photometric(to_.compressed->codec, pixels) : pixels.photometric);
  const auto planar = frames_.back().described.find(kPlanarConfiguration);
  if (planar != frames_.back().described.end()) alter(kPlanarConfiguration, std::string(planar->second.size(), '\0'));
}

// Of an image that is known to have lost something, and does not say so.
void Walk::describe_loss(std::string_view first_bytes, std::uint64_t compressed_bytes) {
  if (frames_.size() > 1 || compressed_bytes == 0 || !is_lossy(*content_.compressed, first_bytes)) return;
  const Pixels& pixels = frames_.back().pixels;
  const Values& described = frames_.back().described;
  const auto said = described.find(kLossyImageCompression);
  if (said == described.end()) {
    add(kLossyImageCompression, "01");
  } else if (said->second.empty() || said->second == "00") {
    alter(kLossyImageCompression, "01");
  }
  if (!described.contains(kLossyRatio)) add(kLossyRatio, ratio_text(pixels.frame_bytes() * pixels.frames, compressed_bytes));
  if (!described.contains(kLossyMethod)) add(kLossyMethod, std::string(method_of_loss(*content_.compressed)));
}

void Walk::alter(Tag tag, std::string value) {
  Frame& frame = frames_.back();
  const auto found = frame.described.find(tag);
  if (found == frame.described.end()) return;
  value = padded(std::move(value));
  frame.bytes += value.size() - found->second.size();
  plan_.altered[frame.number][tag] = std::move(value);
}

void Walk::add(Tag tag, std::string value) {
  value = padded(std::move(value));
  frames_.back().bytes += kHeader + value.size();
  plan_.added[tag] = std::move(value);
}

std::string Walk::altered(Tag tag, std::string value) const {
  const auto found = plan_.altered.find(frames_.back().number);
  if (found == plan_.altered.end()) return value;
  const auto other = found->second.find(tag);
  return other != found->second.end() ? other->second : value;
}

// Puts what is added and comes before an element.
bool Walk::put_added(Tag before) {
  while (!to_add_.empty() && to_add_.begin()->first < before) {
    const auto [tag, value] = *to_add_.begin();
    to_add_.erase(to_add_.begin());
    const auto vr = tag == kLossyRatio ? tags::Vr::DS : tags::Vr::CS;
    if (!put_header(tag, vr, static_cast<std::uint32_t>(value.size())) || !put(value)) return false;
  }
  return true;
}

}  // namespace mercure::convert
