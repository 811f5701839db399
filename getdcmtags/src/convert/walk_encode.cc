// Pixel data that is compressed without loss, frame by frame; each is decoded again and compared before it leaves.
#include "convert/walk.h"

namespace mercure::convert {
namespace {

using tags::Element;

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;

}  // namespace

// What is encoded: pixel by pixel, in the colours that decoding left.
Pixels Walk::decoded_pixels() const {
  Pixels pixels = frames_.back().pixels;
  if (content_.compressed) pixels.photometric = decoded_photometric(content_.compressed->codec, pixels);
  pixels.by_plane = false;
  return pixels;
}

// The samples of the data set itself, which are not compressed yet. The first walk encodes the first frame: what cannot be
// encoded is mostly known then.
bool Walk::take_samples(const Element& element, std::size_t width) {
  const Pixels& pixels = frames_.back().pixels;
  plan_.has_pixels = true;
  if (content_.codec == nullptr) return fail_encoding("no codec is here");
  const std::uint64_t bytes = pixels.frame_bytes() * pixels.frames;
  std::string problem = encoding_problem(*to_.compressed, pixels);
  if (problem.empty() && element.length != bytes && element.length != bytes + bytes % 2) {
    problem = "it has " + std::to_string(element.length) + " bytes of pixels instead of " + std::to_string(bytes);
  }
  if (problem.empty() && pixels.frame_bytes() > kLargestFrame) problem = "a frame is too large";
  // One frame of an odd number of bytes ends in the middle of a number, too; its other half is the padding.
  const bool ends_padded = pixels.frames == 1 && element.length % width == 0;
  if (problem.empty() && pixels.frame_bytes() % width != 0 && !ends_padded) problem = "its frames begin in the middle of numbers";
  if (!problem.empty()) return fail_encoding("its frames cannot be encoded: " + problem);
  if (!measuring()) return write_samples(width);
  number_ = 1;
  if (!read_samples(width) || !encode_frame()) return false;
  plan_.first_frame = encoded_;
  describe_pixels();
  return true;
}

bool Walk::write_samples(std::size_t width) {
  if (!begin_frames()) return false;
  for (number_ = 1; number_ <= frames_.back().pixels.frames; ++number_) {
    if (!read_samples(width)) return false;
    if (number_ > 1 && !encode_frame()) return false;
    if (!put_frame(number_ > 1 ? encoded_ : plan_.first_frame)) return false;
  }
  return put_delimiter(kSequenceEnd, 0);
}

bool Walk::read_samples(std::size_t width) {
  const Pixels& pixels = frames_.back().pixels;
  samples_.clear();
  const std::uint64_t bytes = pixels.frame_bytes();
  if (!read_whole(static_cast<std::uint32_t>(bytes + bytes % width), samples_)) return false;
  swap_numbers(samples_, width);
  samples_.resize(bytes);
  if (pixels.by_plane && pixels.samples > 1) samples_ = interleaved(samples_, pixels.samples, pixels.bits_allocated / 8U);
  return true;
}

// Encodes the samples. An encoder is believed only as far as a decoder gives them back.
bool Walk::encode_frame() {
  Pixels pixels = decoded_pixels();
  std::string problem = content_.codec->encode(*to_.compressed, pixels, samples_, encoded_);
  if (problem.empty()) {
    pixels.photometric = encoded_photometric(to_.compressed->codec, pixels);
    problem = content_.codec->decode(*to_.compressed, pixels, encoded_, piece_);
    if (problem.empty() && piece_ != samples_) problem = "decoded again it is another";
  }
  return problem.empty() || fail_encoding(which_frame() + " cannot be encoded: " + problem);
}

// The offset table stays empty, as it may (PS3.5 annex A.4): each frame is one fragment.
bool Walk::begin_frames() { return put_header(kPixelData, tags::Vr::OB, kUndefined) && put_delimiter(kItem, 0); }

bool Walk::put_frame(std::string_view frame) {
  const std::size_t padding = frame.size() % 2;
  return put_delimiter(kItem, static_cast<std::uint32_t>(frame.size() + padding)) && put(frame) &&
         put(std::string(padding, '\0'));
}

}  // namespace mercure::convert
