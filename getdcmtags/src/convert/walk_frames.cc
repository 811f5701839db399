// Compressed pixel data: its frames are counted by the first walk, decoded by the second, and encoded anew where that is
// wanted.
#include <algorithm>

#include "convert/fragments.h"
#include "convert/walk.h"

namespace mercure::convert {
namespace {

using tags::Element;

constexpr std::uint32_t kLongestTable = 8 << 20;
constexpr std::uint32_t kLongestFrameHeader = 4096;  // of what tells how it was compressed
constexpr std::size_t kMostFragments = 1'000'000;
constexpr std::uint64_t kLongestValue = 0xFFFFFFFE;  // of a known length (PS3.5 section 7.1)

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
  if (frames_.size() == 1) plan_.has_pixels = true;
  const std::uint64_t bytes = pixels.frame_bytes() * pixels.frames;
  const std::uint64_t even = bytes + bytes % 2;
  if (pixels.frame_bytes() > kLargestFrame || (!encodes() && even > kLongestValue)) {
    return fail("its pixels are too large without compression: " + std::to_string(bytes) + " bytes");
  }
  if (encodes()) {
    const std::string problem = encoding_problem(*to_.compressed, decoded_pixels());
    if (!problem.empty()) return fail_encoding("its frames cannot be encoded: " + problem);
    if (!begin_frames()) return false;
  } else {
    const auto vr = pixels.bits_allocated > 8 ? tags::Vr::OW : tags::Vr::OB;
    if (!put_header(kPixelData, vr, static_cast<std::uint32_t>(even))) return false;
  }
  return measuring() ? plan_frames(even) : write_frames(even - bytes);
}

bool Walk::plan_frames(std::uint64_t bytes) {
  Frame& frame = frames_.back();
  std::string table;
  const auto length = reader_.next_fragment();
  if (length && *length <= kLongestTable && !read_whole(*length, table)) return false;
  std::vector<Fragment> fragments;
  std::uint64_t offset = 0;
  std::string first_bytes;
  while (const auto next = reader_.next_fragment()) {
    if (fragments.size() == kMostFragments) return fail("it has more than " + std::to_string(kMostFragments) + " fragments");
    piece_.clear();
    if (!read_whole(std::min<std::uint32_t>(fragments.empty() ? kLongestFrameHeader : 2, *next), piece_)) return false;
    if (fragments.empty()) first_bytes = piece_;
    fragments.push_back({offset, begins_frame(content_.compressed->codec, std::string_view(piece_).substr(0, 2))});
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
  frame.bytes += bytes;
  describe_pixels();
  describe_loss(first_bytes, offset - 8 * fragments.size());
  return true;
}

bool Walk::write_frames(std::uint64_t padding) {
  reader_.next_fragment();  // the offset table
  for (number_ = 1; number_ <= frames_.back().pixels.frames; ++number_) {
    if (next_frame_ == plan_.fragments.size()) return fail("the file changed while it was read");
    if (!read_frame(plan_.fragments[next_frame_++]) || !decode_frame()) return false;
    if (encodes() ? !encode_frame() || !put_frame(encoded_) : !put(samples_)) return false;
  }
  if (reader_.next_fragment()) return fail("it has more fragments than frames");
  return encodes() ? put_delimiter(kSequenceEnd, 0) : put(std::string(padding, '\0'));
}

// What was altered on the way is described as it was: the codec has to know what it gets.
bool Walk::decode_frame() {
  const Pixels& pixels = frames_.back().pixels;
  const std::string problem = content_.codec->decode(*content_.compressed, pixels, piece_, samples_);
  if (!problem.empty()) return fail(which_frame() + " cannot be decoded: " + problem);
  if (samples_.size() == pixels.frame_bytes()) return true;
  return fail(which_frame() + " was decoded to another size than it should have");
}

std::string Walk::which_frame() const {
  return "frame " + std::to_string(number_) + " of " + std::to_string(frames_.back().pixels.frames);
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
