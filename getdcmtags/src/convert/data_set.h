// Writes a data set in Explicit or Implicit VR Little Endian, or with frames that are compressed without loss. Where none
// are compressed no value changes; only how elements are headed, and the order of the bytes in numbers (PS3.5 section 7 and
// annex A). Frames are decoded and encoded one by one.
//
//   Conversion conversion(descriptor, offset, size, *Source::of(its_syntax), *Destination::of(other_syntax), codec);
//   if (conversion.measure() && conversion.write(sink)) …  else tell(conversion.reason());
//
// The data set is walked twice: lengths of sequences and items stand before their content and change with it. Memory
// holds some bytes for each sequence, item and fragment, and one frame, but no other value: it stays small whatever the
// size of the image.
#ifndef MERCURE_CONVERT_DATA_SET_H
#define MERCURE_CONVERT_DATA_SET_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/compressed_syntax.h"
#include "convert/frame_codec.h"
#include "convert/native_syntax.h"
#include "tags/tag_record.h"

namespace mercure::convert {

enum class Form : std::uint8_t { explicit_little, implicit_little };

// How a data set to be converted is encoded.
struct Source {
  NativeSyntax native;                      // of all but compressed frames
  std::optional<CompressedSyntax> compressed;  // of the frames

  // Nothing for a syntax that cannot be converted.
  static std::optional<Source> of(std::string_view transfer_syntax);
};

// How the new data set is encoded. Frames in items (icons) are never compressed.
struct Destination {
  Form form = Form::explicit_little;
  std::optional<CompressedSyntax> compressed = std::nullopt;

  // Nothing for a syntax in which nothing is made.
  static std::optional<Destination> of(std::string_view transfer_syntax);
};

// Takes the bytes of the new data set, in order.
class Sink {
 public:
  virtual ~Sink() = default;

  // False ends the conversion.
  virtual bool write(std::string_view bytes) = 0;
};

using Values = std::map<tags::Tag, std::string>;

// What the first walk finds out and the second needs.
struct Plan {
  std::vector<std::uint32_t> lengths = {0};         // of sequences and items as they begin; the data set is the first
  std::vector<std::uint32_t> fragments;             // of each compressed frame
  std::map<std::size_t, Values> altered;            // where frames are decoded or encoded, by the place of what they are in
  Values added;                                     // to the data set itself
  bool is_signed = false;                           // PixelRepresentation of the data set
  bool has_pixels = false;                          // the data set itself
  std::string first_frame;                          // encoded now: what cannot be is known before anything is written
  std::uint64_t bytes = 0;                          // of the new data set, without frames that are encoded
};

class Conversion {
 public:
  // The data set lies in an open file from `offset` to `end`. The descriptor stays open and its position is not used.
  // Without a codec compressed frames cannot be converted, and none are made.
  Conversion(int descriptor, std::uint64_t offset, std::uint64_t end, const Source& from, const Destination& to,
             FrameCodec* codec = nullptr);

  // The first walk. False when the data set cannot be converted; see reason().
  bool measure();

  // The second walk. False when it failed, with a reason, or when the sink ended it, without one.
  bool write(Sink& sink);

  const std::string& reason() const { return reason_; }

  // Whether it was the encoding of its frames that failed: another syntax may be had.
  bool encoding_failed() const { return encoding_failed_; }

 private:
  bool walk(Sink* sink);

  int descriptor_;
  std::uint64_t offset_;
  std::uint64_t end_;
  Source from_;
  Destination to_;
  FrameCodec* codec_;
  Plan plan_;
  std::string reason_;
  bool encoding_failed_ = false;
};

}  // namespace mercure::convert

#endif
