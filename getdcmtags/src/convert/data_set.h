// Writes a data set in Explicit or Implicit VR Little Endian. Without compression no value changes; only how elements are
// headed, and the order of the bytes in numbers (PS3.5 section 7 and annex A). Compressed frames are decoded one by one.
//
//   Conversion conversion(descriptor, offset, size, *Source::of(transfer_syntax), Form::implicit_little, codec);
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

// Takes the bytes of the new data set, in order.
class Sink {
 public:
  virtual ~Sink() = default;

  // False ends the conversion.
  virtual bool write(std::string_view bytes) = 0;
};

// What the first walk finds out and the second needs.
struct Plan {
  std::vector<std::uint32_t> lengths = {0};         // of sequences and items as they begin; the data set is the first
  std::vector<std::uint32_t> fragments;             // of each compressed frame
  std::map<std::size_t, std::string> photometrics;  // of decoded pixels, by the place of what they are in
  bool is_signed = false;                           // PixelRepresentation of the data set
  std::uint64_t bytes = 0;
};

class Conversion {
 public:
  // The data set lies in an open file from `offset` to `end`. The descriptor stays open and its position is not used.
  // Without a codec compressed frames cannot be converted.
  Conversion(int descriptor, std::uint64_t offset, std::uint64_t end, const Source& from, Form to,
             FrameCodec* codec = nullptr);

  // The first walk. False when the data set cannot be converted; see reason().
  bool measure();

  // Bytes of the new data set; known after measure().
  std::uint64_t bytes() const { return plan_.bytes; }

  // The second walk. False when it failed, with a reason, or when the sink ended it, without one.
  bool write(Sink& sink);

  const std::string& reason() const { return reason_; }

 private:
  bool walk(Sink* sink);

  int descriptor_;
  std::uint64_t offset_;
  std::uint64_t end_;
  Source from_;
  Form to_;
  FrameCodec* codec_;
  Plan plan_;
  std::string reason_;
};

}  // namespace mercure::convert

#endif
