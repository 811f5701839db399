#include "convert/walk.h"

#include <algorithm>
#include <utility>

#include "tags/byte_order.h"

namespace mercure::convert {
namespace {

using tags::Element;
using tags::Step;
using tags::Tag;
using tags::Vr;

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr std::uint32_t kLongestShort = 0xFFFE;  // of a VR with a 16-bit length (PS3.5 section 7.1.2), even
constexpr std::size_t kPiece = 64 * 1024;        // a multiple of the width of every number
constexpr std::size_t kMostLengths = 4'000'000;  // 16 MiB
constexpr std::size_t kMostCreators = 10'000;
constexpr std::uint32_t kLongestCreator = 64;
constexpr std::uint32_t kLongestDescription = 64;
constexpr Tag kPixelRepresentation{0x0028, 0x0103};
constexpr Tag kExtendedOffsets{0x7FE0, 0x0001};
constexpr Tag kOffsetTablesEnd{0x7FE0, 0x0003};  // lengths of frames, and of the value as a whole
constexpr tags::Groups kAllGroups{0x0000, 0xFFFF};

// Bytes of one number in a value of this VR; 1 where the order of the bytes is no matter (PS3.5 section 7.3).
std::size_t width_of(Vr vr) {
  switch (vr) {
    case Vr::AT:  // two numbers of 16 bits
    case Vr::OW:
      return 2;
    case Vr::OF:
    case Vr::OL:
      return 4;
    case Vr::OD:
    case Vr::OV:
      return 8;
    default:
      return std::max<std::size_t>(1, tags::traits(vr).width);
  }
}

void add_number(std::string& bytes, std::uint32_t number, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) bytes += static_cast<char>(number >> (8 * index) & 0xff);
}

std::string without_padding(std::string_view text) {
  const auto last = text.find_last_not_of(std::string_view(" \0", 2));
  return std::string(text.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

// A block of private elements (PS3.5 section 7.8.1).
std::uint32_t block_key(Tag tag, std::uint16_t block) { return (std::uint32_t{tag.group} << 16) | block; }

// The reader's limits are for headers. Here all is read; the depth stays as it is.
tags::Limits whole_data_set() {
  tags::Limits limits;
  limits.elements = UINT64_MAX;
  return limits;
}

}  // namespace

Walk::Walk(tags::ByteSource& source, const Content& content, const Destination& to, Plan& plan, Sink* sink)
    : limits_(whole_data_set()),
      reader_(source, content.encoding, kAllGroups, limits_),
      content_(content),
      to_(to),
      plan_(plan),
      to_add_(sink != nullptr ? plan.added : Values()),
      sink_(sink),
      frames_{{to.form == Form::explicit_little}} {}

bool Walk::run() {
  for (Step step = reader_.next(); step != Step::end; step = reader_.next()) {
    if (!take(step)) return false;
  }
  if (measuring()) plan_.bytes = frames_.front().bytes;
  if (to_.compressed) return plan_.has_pixels || fail_encoding("it has no pixel data");
  return plan_.bytes == frames_.front().bytes || fail("the file changed while it was read");
}

bool Walk::take(Step step) {
  switch (step) {
    case Step::element: return take_element();
    case Step::item: return begin_item();
    case Step::end_item: return end(kItemEnd);
    case Step::end_sequence: return end(kSequenceEnd);
    // Whoever reads tags passes over what makes no sense. Here that would alter the image.
    case Step::damaged: return fail("a sequence makes no sense at element " + tags::spelled(reader_.element().tag));
    case Step::failed: return fail(reader_.reason());
    case Step::end: break;
  }
  return true;
}

bool Walk::take_element() {
  const Element element = reader_.element();
  // Group lengths are retired (PS3.5 section 7.2) and would be wrong in the other syntax.
  if (element.tag.element == 0) return true;
  if (frames_.size() == 1 && !put_added(element.tag)) return false;
  if (content_.compressed && element.tag == kPixelData && element.undefined_length) return take_frames();
  // They describe fragments, which are gone.
  const bool is_table = element.tag.group == kPixelData.group && element.tag.element <= kOffsetTablesEnd.element;
  if (content_.compressed && is_table) return element.tag != kExtendedOffsets || take_offsets(element);
  const Vr vr = vr_of(element);
  if (vr == Vr::SQ || (vr == Vr::UN && element.undefined_length)) return take_sequence(element, vr);
  if (!element.undefined_length) return take_value(element, vr);
  return fail("element " + tags::spelled(element.tag) + " holds compressed data in an uncompressed data set");
}

// UN of undefined length holds a sequence in Implicit VR Little Endian, whatever is around it (PS3.5 section 6.2.2).
bool Walk::take_sequence(const Element& element, Vr vr) {
  const auto length = next_length(!element.undefined_length);
  if (!length || !put_header(element.tag, vr, *length)) return false;
  push(frames_.back().explicit_out && vr == Vr::SQ);
  reader_.enter_sequence();
  return true;
}

bool Walk::begin_item() {
  const auto length = next_length(reader_.has_known_length());
  if (!length || !put_delimiter(kItem, *length)) return false;
  push(frames_.back().explicit_out);
  return true;
}

// The length that stands before a sequence or an item: while measuring any, for all take the same room.
std::optional<std::uint32_t> Walk::next_length(bool is_known) {
  if (measuring()) {
    if (plan_.lengths.size() == kMostLengths) {
      fail("it has more than " + std::to_string(kMostLengths) + " sequences and items");
      return std::nullopt;
    }
    plan_.lengths.push_back(is_known ? 0 : kUndefined);
  } else if (next_number_ >= plan_.lengths.size()) {
    fail("the file changed while it was read");
    return std::nullopt;
  }
  return plan_.lengths[next_number_];
}

bool Walk::end(Tag delimiter) {
  const Frame& frame = frames_.back();
  std::uint32_t& length = plan_.lengths[frame.number];
  if (measuring() && length != kUndefined) {
    length = static_cast<std::uint32_t>(std::min<std::uint64_t>(frame.bytes, kUndefined));
  } else if (length != kUndefined && length != frame.bytes) {
    return fail("the file changed while it was read");
  }
  if (length == kUndefined && !put_delimiter(delimiter, 0)) return false;
  const std::uint64_t bytes = frame.bytes;
  creators_ -= frame.creators.size();
  frames_.pop_back();
  frames_.back().bytes += bytes;
  return true;
}

bool Walk::take_value(const Element& element, Vr vr) {
  const bool swapped_pixels = content_.big_endian_pixels && element.tag == kPixelData && frames_.size() == 1;
  const bool swapped = element.encoding.big_endian || (swapped_pixels && frames_.back().pixels.bits_allocated > 8);
  const std::size_t width = swapped ? width_of(vr) : 1;
  if (encodes() && element.tag == kPixelData) return take_samples(element, width);
  // Implicit VR has 32 bits for every length; where 16 do not hold it, UN does (PS3.5 section 6.2.2, note 5).
  if (frames_.back().explicit_out && !tags::traits(vr).long_length && element.length > kLongestShort) vr = Vr::UN;
  if (may_be_altered(element.tag)) frames_.back().described[element.tag];
  if (is_remembered(element)) {
    piece_.clear();
    if (!read_whole(element.length, piece_)) return false;
    swap_numbers(piece_, width);
    if (!remember(element, piece_)) return false;
    piece_ = altered(element.tag, std::move(piece_));
    return put_header(element.tag, vr, static_cast<std::uint32_t>(piece_.size())) && put(piece_);
  }
  if (!put_header(element.tag, vr, element.length)) return false;
  if (!measuring()) return copy_value(element, width);
  frames_.back().bytes += element.length;
  return true;
}

bool Walk::copy_value(const Element& element, std::size_t width) {
  for (std::uint32_t left = element.length; left > 0;) {
    piece_.clear();
    if (!reader_.read_value(kPiece, piece_)) return fail(reader_.reason());
    left -= static_cast<std::uint32_t>(piece_.size());
    swap_numbers(piece_, width);
    if (!put(piece_)) return false;
  }
  return true;
}

Vr Walk::vr_of(const Element& element) {
  if (element.vr) return *element.vr;
  const Vr vr = vr_by_dictionary(element.tag);
  if (vr == Vr::US_OR_SS) return is_signed() ? Vr::SS : Vr::US;
  // In implicit VR nothing but a sequence has an undefined length.
  if (vr == Vr::UN && element.undefined_length) return Vr::SQ;
  // A value that the dictionary takes for a sequence and that is none goes as it is.
  return vr == Vr::SQ && !reader_.looks_like_sequence() ? Vr::UN : vr;
}

Vr Walk::vr_by_dictionary(Tag tag) const {
  if (!tag.is_private()) return tags::public_vr(tag).value_or(Vr::UN);
  if (tag.is_private_creator()) return Vr::LO;
  return tags::private_vr(tag, creator_of(tag)).value_or(Vr::UN);
}

std::string_view Walk::creator_of(Tag tag) const {
  const auto found = frames_.back().creators.find(block_key(tag, static_cast<std::uint16_t>(tag.element >> 8)));
  return found != frames_.back().creators.end() ? std::string_view(found->second) : std::string_view();
}

// An item that does not say it has the signedness of what it is in.
bool Walk::is_signed() const {
  const auto found = std::find_if(frames_.rbegin(), frames_.rend(), [](const Frame& frame) { return frame.is_signed; });
  return found != frames_.rend() ? *found->is_signed : plan_.is_signed;
}

bool Walk::is_remembered(const Element& element) const {
  if (element.undefined_length) return false;
  if (Pixels::describes(element.tag) || may_be_altered(element.tag)) return element.length <= kLongestDescription;
  return !element.vr && element.tag.is_private_creator() && element.length <= kLongestCreator;
}

bool Walk::remember(const Element& element, const std::string& value) {
  Frame& frame = frames_.back();
  if (!element.tag.is_private_creator()) {
    frame.pixels.take(element.tag, value);
    if (may_be_altered(element.tag)) frame.described[element.tag] = value;
    if (element.tag == kPixelRepresentation) frame.is_signed = frame.pixels.is_signed;
    if (frames_.size() == 1) plan_.is_signed = frame.pixels.is_signed;
    return true;
  }
  if (creators_ == kMostCreators) return fail("it has more than " + std::to_string(kMostCreators) + " private creators");
  const auto key = block_key(element.tag, element.tag.element);
  if (frame.creators.emplace(key, without_padding(value)).second) ++creators_;
  return true;
}

bool Walk::read_whole(std::uint32_t length, std::string& value) {
  return reader_.read_value(length, value) || fail(reader_.reason());
}

bool Walk::put_header(Tag tag, Vr vr, std::uint32_t length) {
  std::string header;
  add_number(header, tag.group, 2);
  add_number(header, tag.element, 2);
  if (!frames_.back().explicit_out) {
    add_number(header, length, 4);
    return put(header);
  }
  header += tags::traits(vr).name;
  if (tags::traits(vr).long_length) {
    add_number(header, 0, 2);
    add_number(header, length, 4);
  } else {
    add_number(header, length, 2);
  }
  return put(header);
}

bool Walk::put_delimiter(Tag tag, std::uint32_t length) {
  std::string header;
  add_number(header, tag.group, 2);
  add_number(header, tag.element, 2);
  add_number(header, length, 4);
  return put(header);
}

bool Walk::put(std::string_view bytes) {
  frames_.back().bytes += bytes.size();
  return measuring() || sink_->write(bytes);
}

bool Walk::fail_encoding(std::string reason) {
  encoding_failed_ = true;
  return fail(std::move(reason));
}

bool Walk::fail(std::string reason) {
  reason_ = std::move(reason);
  return false;
}

}  // namespace mercure::convert
