// One walk over a data set: either counts what the new one will hold, or writes it. Both take the same decisions.
#ifndef MERCURE_CONVERT_WALK_H
#define MERCURE_CONVERT_WALK_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/data_set.h"
#include "tags/byte_source.h"
#include "tags/element_reader.h"

namespace mercure::convert {

// How what is walked over is encoded.
struct Content {
  tags::Encoding encoding;
  bool big_endian_pixels;
  std::optional<CompressedSyntax> compressed;  // of the frames
  FrameCodec* codec;
};

inline constexpr tags::Tag kItem{0xFFFE, 0xE000};
inline constexpr tags::Tag kItemEnd{0xFFFE, 0xE00D};
inline constexpr tags::Tag kSequenceEnd{0xFFFE, 0xE0DD};
inline constexpr tags::Tag kPixelData{0x7FE0, 0x0010};
inline constexpr std::uint64_t kLargestFrame = 1 << 30;

// Whether its value says how pixels are encoded.
bool may_be_altered(tags::Tag tag);

class Walk {
 public:
  // Without a sink it measures and fills `plan`; with one it writes by it.
  Walk(tags::ByteSource& source, const Content& content, const Destination& to, Plan& plan, Sink* sink);

  // False after a failure, or when the sink ended it (then without a reason).
  bool run();

  const std::string& reason() const { return reason_; }
  bool encoding_failed() const { return encoding_failed_; }

 private:
  // The data set, a sequence or an item that is open.
  struct Frame {
    bool explicit_out;        // its elements get a VR
    std::size_t number = 0;   // its place in the plan's lengths
    std::uint64_t bytes = 0;  // of its content in the new data set, so far
    Pixels pixels = {};
    Values described = {};    // what may be altered where frames are decoded or encoded, as it came
    std::optional<bool> is_signed = std::nullopt;
    std::map<std::uint32_t, std::string> creators = {};  // of private elements, by group and block
    std::vector<std::uint64_t> offsets = {};             // the Extended Offset Table
  };

  bool measuring() const { return sink_ == nullptr; }
  bool take(tags::Step step);
  bool take_element();
  bool take_sequence(const tags::Element& element, tags::Vr vr);
  bool take_value(const tags::Element& element, tags::Vr vr);
  bool copy_value(const tags::Element& element, std::size_t width);
  bool take_offsets(const tags::Element& element);
  bool take_frames();
  bool plan_frames(std::uint64_t bytes);
  bool write_frames(std::uint64_t padding);
  bool read_frame(std::uint32_t fragments);
  bool decode_frame();
  bool encodes() const { return to_.compressed.has_value() && frames_.size() == 1; }
  bool take_samples(const tags::Element& element, std::size_t width);
  bool read_samples(std::size_t width);
  bool write_samples(std::size_t width);
  bool encode_frame();
  bool put_frame(std::string_view frame);
  bool begin_frames();
  Pixels decoded_pixels() const;
  void describe_pixels();
  void describe_loss(std::string_view first_bytes, std::uint64_t compressed_bytes);
  void alter(tags::Tag tag, std::string value);
  void add(tags::Tag tag, std::string value);
  bool put_added(tags::Tag before);
  bool read_whole(std::uint32_t length, std::string& value);
  bool begin_item();
  bool end(tags::Tag delimiter);
  std::optional<std::uint32_t> next_length(bool is_known);
  void push(bool explicit_out) { frames_.push_back({explicit_out, next_number_++}); }
  tags::Vr vr_of(const tags::Element& element);
  tags::Vr vr_by_dictionary(tags::Tag tag) const;
  std::string_view creator_of(tags::Tag tag) const;
  bool is_signed() const;
  bool is_remembered(const tags::Element& element) const;
  bool remember(const tags::Element& element, const std::string& value);
  std::string altered(tags::Tag tag, std::string value) const;
  std::string which_frame() const;
  bool put_header(tags::Tag tag, tags::Vr vr, std::uint32_t length);
  bool put_delimiter(tags::Tag tag, std::uint32_t length);
  bool put(std::string_view bytes);
  bool fail(std::string reason);
  bool fail_encoding(std::string reason);

  tags::Limits limits_;
  tags::ElementReader reader_;
  Content content_;
  Destination to_;
  Plan& plan_;
  Values to_add_;  // what is left of it
  Sink* sink_;
  std::vector<Frame> frames_;
  std::size_t next_number_ = 1;
  std::size_t next_frame_ = 0;  // its place in the plan's fragments
  std::uint32_t number_ = 0;    // of the frame under way, for people
  std::size_t creators_ = 0;    // in all that is open
  std::string piece_;
  std::string samples_;
  std::string encoded_;
  std::string reason_;
  bool encoding_failed_ = false;
};

}  // namespace mercure::convert

#endif
