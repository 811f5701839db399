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

class Walk {
 public:
  // Without a sink it measures and fills `plan`; with one it writes by it.
  Walk(tags::ByteSource& source, const Content& content, Form to, Plan& plan, Sink* sink);

  // False after a failure, or when the sink ended it (then without a reason).
  bool run();

  const std::string& reason() const { return reason_; }

 private:
  // The data set, a sequence or an item that is open.
  struct Frame {
    bool explicit_out;        // its elements get a VR
    std::size_t number = 0;   // its place in the plan's lengths
    std::uint64_t bytes = 0;  // of its content in the new data set, so far
    Pixels pixels = {};
    std::size_t photometric_bytes = 0;  // of that element's value, as it came
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
  bool write_frames(std::uint64_t bytes);
  bool read_frame(std::uint32_t fragments);
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
  bool put_header(tags::Tag tag, tags::Vr vr, std::uint32_t length);
  bool put_delimiter(tags::Tag tag, std::uint32_t length);
  bool put(std::string_view bytes);
  bool fail(std::string reason);

  tags::Limits limits_;
  tags::ElementReader reader_;
  Content content_;
  Plan& plan_;
  Sink* sink_;
  std::vector<Frame> frames_;
  std::size_t next_number_ = 1;
  std::size_t next_frame_ = 0;  // its place in the plan's fragments
  std::size_t creators_ = 0;    // in all that is open
  std::string piece_;
  std::string samples_;
  std::string reason_;
};

}  // namespace mercure::convert

#endif
