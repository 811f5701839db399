// Compressed pixel data: its frames are counted by the first walk and decoded by the second.
#include <algorithm>

#include "convert/fragments.h"
#include "convert/walk.h"

namespace mercure::convert {
namespace {

using tags::Element;
using tags::Tag;

constexpr Tag kPixelData{0x7FE0, 0x0010};
constexpr std::uint32_t kLongestTable = 8 << 20;
constexpr std::size_t kMostFragments = 1'000'000;
constexpr std::uint64_t kLargestFrame = 1 << 30;
constexpr std::uint64_t kLongestValue = 0xFFFFFFFE;  // of a known length (PS3.5 section 7.1)

std::string padded(std::string text) {
  if (text.size() % 2 != 0) text += ' ';
  return text;
}

}  // namespace

// The table may be longer than is worth reading: then the fragments themselves must tell.
bool Walk::take_offsets(const Element& element) {
  piece_.clear();
  if (element.undefined_length || element.length > kLongestTable) return true;
  if (!read_whole(element.length, piece_)) return false;
  frames_.back().offsets = offsets_in(piece_, 8);
  return true;
}

bool Walk::take_frames() {
  const Pixels& pixels = frames_.back().pixels;
  if (content_.codec == nullptr) return fail("its frames are compressed, and no codec is here");
  if (const std::string problem = pixels.problem(); !problem.empty()) return fail("its frames cannot be decoded: " + problem);
  const std::uint64_t bytes = pixels.frame_bytes() * pixels.frames;
  const std::uint64_t even = bytes + bytes % 2;
  if (pixels.frame_bytes() > kLargestFrame || even > kLongestValue) {
    return fail("its pixels are too large without compression: " + std::to_string(bytes) + " bytes");
  }
  const auto vr = pixels.bits_allocated > 8 ? tags::Vr::OW : tags::Vr::OB;
  if (!put_header(kPixelData, vr, static_cast<std::uint32_t>(even))) return false;
  return measuring() ? plan_frames(even) : write_frames(even - bytes);
}

bool Walk::plan_frames(std::uint64_t bytes) {
  Frame& frame = frames_.back();
  std::string table;
  const auto length = reader_.next_fragment();
  if (length && *length <= kLongestTable && !read_whole(*length, table)) return false;
  std::vector<Fragment> fragments;
  std::uint64_t offset = 0;
  while (const auto next = reader_.next_fragment()) {
    if (fragments.size() == kMostFragments) return fail("it has more than " + std::to_string(kMostFragments) + " fragments");
    piece_.clear();
    if (!read_whole(std::min<std::uint32_t>(2, *next), piece_)) return false;
    fragments.push_back({offset, begins_frame(content_.compressed->codec, piece_)});
    offset += 8 + std::uint64_t{*next};
  }
  if (reader_.failed_or_damaged()) return fail("its fragments make no sense");
  const auto offsets = frame.offsets.empty() ? offsets_in(table, 4) : frame.offsets;
  const auto counts = fragments_of_frames(frame.pixels.frames, fragments, offsets);
  if (!counts) {
    return fail("which of its " + std::to_string(fragments.size()) + " fragments make which of its " +
                std::to_string(frame.pixels.frames) + " frames cannot be told");
  }
  plan_.fragments.insert(plan_.fragments.end(), counts->begin(), counts->end());
  const std::string photometric = padded(decoded_photometric(content_.compressed->codec, frame.pixels));
  plan_.photometrics[frame.number] = photometric;
  frame.bytes += bytes + photometric.size() - frame.photometric_bytes;
  return true;
}

bool Walk::write_frames(std::uint64_t padding) {
  reader_.next_fragment();  // the offset table
  for (std::uint32_t place = 0; place < frames_.back().pixels.frames; ++place) {
    if (next_frame_ == plan_.fragments.size()) return fail("the file changed while it was read");
    if (!read_frame(plan_.fragments[next_frame_++])) return false;
    // What was altered on the way is described as it was: the codec has to know what it gets.
    const Pixels& pixels = frames_.back().pixels;
    const std::string problem = content_.codec->decode(*content_.compressed, pixels, piece_, samples_);
    const std::string what = "frame " + std::to_string(place + 1) + " of " + std::to_string(pixels.frames);
    if (!problem.empty()) return fail(what + " cannot be decoded: " + problem);
    if (samples_.size() != pixels.frame_bytes()) return fail(what + " was decoded to another size than it should have");
    if (!put(samples_)) return false;
  }
  return put(std::string(padding, '\0')) && (!reader_.next_fragment() || fail("it has more fragments than frames"));
}

// Puts the fragments of one frame together.
bool Walk::read_frame(std::uint32_t fragments) {
  piece_.clear();
  for (std::uint32_t place = 0; place < fragments; ++place) {
    const auto length = reader_.next_fragment();
    if (!length) return fail("its fragments make no sense");
    if (piece_.size() + *length > kLargestFrame) return fail("a compressed frame is too large");
    if (!read_whole(*length, piece_)) return false;
  }
  return true;
}

}  // namespace mercure::convert
