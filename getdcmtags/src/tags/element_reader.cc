#include "tags/element_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tags/byte_order.h"

namespace mercure::tags {
namespace {

constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr std::size_t kShortHeader = 8;
constexpr std::size_t kLongHeader = 12;
constexpr std::uint16_t kDelimiterGroup = 0xFFFE;
constexpr const char* kTooManyElements = "the header has more elements than the limit";
constexpr Tag kItem{0xFFFE, 0xE000};
constexpr Tag kItemEnd{0xFFFE, 0xE00D};
constexpr Tag kSequenceEnd{0xFFFE, 0xE0DD};

Tag tag_at(const std::uint8_t* bytes, bool big_endian) {
  return {number_at<std::uint16_t>(bytes, big_endian), number_at<std::uint16_t>(bytes + 2, big_endian)};
}

bool is_padding(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool is_upper(std::uint8_t byte) { return byte >= 'A' && byte <= 'Z'; }

// The VR of the dictionary, which tells an element with a VR from a length that looks like one.
bool is_vr_of(Vr vr, Tag tag) {
  const auto known = tag.is_private_creator() ? std::optional(Vr::LO) : public_vr(tag);
  return known == vr || (known == Vr::US_OR_SS && (vr == Vr::US || vr == Vr::SS)) || (known == Vr::OW && vr == Vr::OB);
}

std::optional<Vr> vr_at(const std::uint8_t* bytes) {
  return vr_from(static_cast<char>(bytes[0]), static_cast<char>(bytes[1]));
}

// Items without a length, which have to be walked through to their end; else they are fragments.
bool has_items(const Element& element) {
  return element.undefined_length && (!element.vr || element.vr == Vr::SQ || element.vr == Vr::UN);
}

}  // namespace

std::string spelled(Tag tag) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "gggg,eeee";
  for (std::size_t i = 0; i < 4; ++i) {
    const auto shift = static_cast<unsigned>(12 - 4 * i);
    text[i] = kDigits[(tag.group >> shift) & 0xF];
    text[i + 5] = kDigits[(tag.element >> shift) & 0xF];
  }
  return text;
}

ElementReader::ElementReader(ByteSource& source, Encoding encoding, Groups wanted, const Limits& limits)
    : source_(source), limits_(limits), wanted_(wanted), frames_{{Kind::data_set, false, encoding}} {}

Step ElementReader::fail(Failure failure, std::string reason) {
  failure_ = failure;
  reason_ = std::move(reason);
  return Step::failed;
}

Step ElementReader::fail_from_source() {
  if (source_.over_budget()) return fail(Failure::limit, source_.error());
  if (!source_.error().empty()) return fail(Failure::unreadable, source_.error());
  return fail(Failure::truncated, "the file ends in the middle of the header, after " +
                                      std::to_string(source_.position()) + " bytes, at element " +
                                      spelled(element_.tag));
}

bool ElementReader::count_element() { return ++elements_ <= limits_.elements; }

// Something does not fit. Where a sequence of known length is open, its end is a place to go on from.
Step ElementReader::damage(const std::string& what) {
  for (std::size_t i = frames_.size(); i-- > 1;) {
    if (frames_[i].kind == Kind::sequence && frames_[i].end != kOpen) {
      passing_over_ = true;
      keep_frames_ = i + 1;
      value_left_ = 0;
      fragments_ahead_ = false;
      return Step::damaged;
    }
  }
  return fail(Failure::damaged, what + " at byte " + std::to_string(source_.position()));
}

Step ElementReader::close() {
  const Kind kind = frames_.back().kind;
  if (kind == Kind::data_set) return Step::end;
  frames_.pop_back();
  if (kind == Kind::item) return Step::end_item;
  --sequences_;
  return Step::end_sequence;
}

Step ElementReader::finish_passing_over() {
  if (frames_.size() > keep_frames_) return close();
  passing_over_ = false;
  const std::uint64_t end = frames_.back().end;
  if (end > source_.position() && !source_.skip(end - source_.position())) return fail_from_source();
  return close();
}

Step ElementReader::next() {
  Step step = advance();
  while (step == Step::element && is_unwanted(element_.tag.group)) step = pass_over_foreign();
  return step;
}

bool ElementReader::is_unwanted(std::uint16_t group) const {
  constexpr std::uint16_t kDirectoryGroup = 0x0004;
  return is_foreign(group) && !wanted_.foreign_too && !(wanted_.directory_too && group == kDirectoryGroup);
}

// Goes past element() and gives the step after it.
Step ElementReader::pass_over_foreign() {
  const Element element = element_;
  const std::uint64_t begin = element_begin_;
  if (has_items(element) && !skip_foreign_sequence()) return Step::failed;
  while (next_fragment()) continue;
  if (failure_ != Failure::none) return Step::failed;
  if (passing_over_) return Step::damaged;
  if (!skip_rest_of_value()) return fail_from_source();
  // Zeros after the last element are padding.
  if (element.tag.number() == 0 && element.length == 0) return advance();
  auto& groups = foreign_.groups;
  if (std::find(groups.begin(), groups.end(), element.tag.group) == groups.end()) groups.push_back(element.tag.group);
  if (frames_.size() > 1) return advance();
  auto& ranges = foreign_.ranges;
  if (!ranges.empty() && ranges.back().end == begin) {
    ranges.back().end = source_.position();
  } else if (ranges.size() < Foreign::kMostRanges) {
    ranges.push_back({begin, source_.position()});
  }
  return advance();
}

bool ElementReader::skip_foreign_sequence() {
  const std::size_t outside = frames_.size();
  enter_sequence();
  while (failure_ == Failure::none && frames_.size() > outside) {
    if (advance() == Step::element && has_items(element_)) enter_sequence();
  }
  return failure_ == Failure::none;
}

Step ElementReader::advance() {
  if (failure_ != Failure::none) return Step::failed;
  if (passing_over_) return finish_passing_over();
  while (next_fragment()) continue;
  if (failure_ != Failure::none) return Step::failed;
  if (passing_over_) return Step::damaged;
  if (!skip_rest_of_value()) return fail_from_source();
  while (true) {
    const Frame& frame = frames_.back();
    if (source_.position() >= frame.end) return close();
    if (!count_element()) return fail(Failure::limit, kTooManyElements);
    if (frame.kind == Kind::sequence) return next_item();
    const Step step = next_element();
    if (step != Step::element || element_.tag.group != kDelimiterGroup) return step;
    source_.consume(kShortHeader);  // a delimiter that closes nothing
  }
}

bool ElementReader::skip_rest_of_value() {
  const bool skipped = value_left_ == 0 || source_.skip(value_left_);
  value_left_ = 0;
  return skipped;
}

bool ElementReader::fits(std::uint64_t length, std::uint64_t bound) {
  return bound == kOpen || length <= bound - std::min(bound, source_.position());
}

// The header of an element in `element_`; how many bytes it takes, 0 if there are not enough.
std::size_t ElementReader::read_header(const std::uint8_t* bytes, std::size_t available) {
  const Encoding encoding = frames_.back().encoding;
  element_ = Element{tag_at(bytes, encoding.big_endian), std::nullopt, 0, false, encoding};
  // Who puts a meta header into an implicit data set leaves it as it was: explicit.
  const bool is_foreign_explicit = !encoding.big_endian && is_foreign(element_.tag.group) && vr_at(bytes + 4);
  const bool vr_expected = (encoding.explicit_vr || is_foreign_explicit) && element_.tag.group != kDelimiterGroup;
  // Writers that mix the two: an element without a VR in an explicit data set is read as implicit.
  if (vr_expected && is_upper(bytes[4]) && is_upper(bytes[5])) return read_explicit_header(bytes, available, encoding);
  element_.length = number_at<std::uint32_t>(bytes + 4, encoding.big_endian);
  return kShortHeader;
}

// A VR that the standard does not know yet has the long form (PS3.5 section 7.1.2) and is taken as UN.
std::size_t ElementReader::read_explicit_header(const std::uint8_t* bytes, std::size_t available, Encoding encoding) {
  element_.vr = vr_at(bytes + 4).value_or(Vr::UN);
  if (vr_at(bytes + 4) && !traits(*element_.vr).long_length) {
    element_.length = number_at<std::uint16_t>(bytes + 6, encoding.big_endian);
    return kShortHeader;
  }
  if (available < kLongHeader) return 0;
  element_.length = number_at<std::uint32_t>(bytes + 8, encoding.big_endian);
  return kLongHeader;
}

Step ElementReader::next_element() {
  const Frame& frame = frames_.back();
  const auto bytes = source_.peek(kLongHeader);
  if (bytes.size() < kShortHeader && source_.error().empty() && frame.kind == Kind::data_set &&
      is_padding(bytes)) {
    return Step::end;
  }
  if (bytes.size() < kShortHeader) return fail_from_source();
  element_begin_ = source_.position();
  const std::size_t header = read_header(bytes.data(), bytes.size());
  const bool wanted = element_.tag.group >= wanted_.first && element_.tag.group <= wanted_.last;
  if (frame.kind == Kind::data_set && !wanted && element_.tag.group != kDelimiterGroup) return Step::end;
  if (header == 0) return fail_from_source();
  if (element_.tag.group == kDelimiterGroup) {
    const bool closes = frame.kind == Kind::item && (element_.tag == kItemEnd || element_.tag == kSequenceEnd);
    if (!closes) return frame.kind == Kind::item ? damage("an item inside an item") : Step::element;
    // A sequence's end that comes before its item's closes both: the sequence reads it again.
    if (element_.tag == kItemEnd) source_.consume(kShortHeader);
    return close();
  }
  element_.undefined_length = element_.length == kUndefined;
  const std::uint64_t length = element_.undefined_length ? 0 : element_.length;
  if (!fits(header + length, frame.bound)) return damage("element " + spelled(element_.tag) + " does not fit its item");
  source_.consume(header);
  if (!source_.may_hold(length)) return fail_from_source();
  value_left_ = length;
  fragments_ahead_ = element_.undefined_length;
  return Step::element;
}

Step ElementReader::next_item() {
  const Frame& frame = frames_.back();
  const auto bytes = source_.peek(kShortHeader);
  if (bytes.size() < kShortHeader) return fail_from_source();
  if (!fits(kShortHeader, frame.bound)) return damage("the end of a sequence is missing");
  const Tag tag = tag_at(bytes.data(), frame.encoding.big_endian);
  if (tag == kSequenceEnd) {
    source_.consume(kShortHeader);
    if (frame.end == kOpen) return close();
    passing_over_ = true;  // an end that the length does not agree with: the length is believed
    keep_frames_ = frames_.size();
    return finish_passing_over();
  }
  if (tag != kItem) return damage("element " + spelled(tag) + " where an item was expected");
  return begin_item(number_at<std::uint32_t>(bytes.data() + 4, frame.encoding.big_endian));
}

// Writers that mix the two the other way round: items with VRs in a sequence without. The VR of the next element is the one of
// the dictionary, and the same bytes can be no length, or another element follows where the VR has this one end.
bool ElementReader::shows_vr(std::uint64_t bound) {
  const auto bytes = source_.peek(kShortHeader);
  if (bytes.size() < kShortHeader) return false;
  const auto vr = vr_at(bytes.data() + 4);
  if (!vr || !is_vr_of(*vr, tag_at(bytes.data(), false))) return false;
  const std::uint64_t without = kShortHeader + std::uint64_t{number_at<std::uint32_t>(bytes.data() + 4, false)};
  if (without % 2 != 0 || !fits(without, bound) || !source_.may_hold(without)) return true;
  const std::size_t with = kShortHeader + number_at<std::uint16_t>(bytes.data() + 6, false);
  if (traits(*vr).long_length || with + kShortHeader > ByteSource::kMostPeeked) return false;
  if (source_.position() + with == bound) return true;
  const auto more = source_.peek(with + kShortHeader);
  if (more.size() < with + kShortHeader) return false;
  const auto* next = more.data() + with;
  return tag_at(next, false).group == kDelimiterGroup || vr_at(next + 4).has_value();
}

Step ElementReader::begin_item(std::uint32_t length) {
  Frame item{Kind::item, false, frames_.back().encoding, kOpen, frames_.back().bound};
  if (length != kUndefined) {
    if (!fits(kShortHeader + std::uint64_t{length}, item.bound)) return damage("an item is longer than its sequence");
    if (!source_.may_hold(kShortHeader + std::uint64_t{length})) return fail_from_source();
    item.end = item.bound = source_.position() + kShortHeader + length;
  }
  source_.consume(kShortHeader);
  if (frames_.back().probe_vr) {
    const auto bytes = source_.peek(kShortHeader);
    item.encoding.explicit_vr = bytes.size() == kShortHeader && vr_at(bytes.data() + 4).has_value();
  } else if (!item.encoding.explicit_vr) {
    item.encoding.explicit_vr = shows_vr(item.bound);
  }
  frames_.push_back(item);
  return Step::item;
}

void ElementReader::enter_sequence() {
  if (sequences_ == limits_.nesting) {
    fail(Failure::too_deep, "sequences are nested more than " + std::to_string(limits_.nesting) + " deep");
    return;
  }
  ++sequences_;
  Frame sequence{Kind::sequence, false, frames_.back().encoding, kOpen, frames_.back().bound};
  if (!element_.undefined_length) sequence.end = sequence.bound = source_.position() + value_left_;
  // UN holds a sequence in implicit VR little endian, whatever is around it (PS3.5 section 6.2.2).
  if (element_.vr == Vr::UN) {
    sequence.encoding = {false, false};
    sequence.probe_vr = true;
  }
  frames_.push_back(sequence);
  value_left_ = 0;
  fragments_ahead_ = false;
}

bool ElementReader::looks_like_sequence() {
  if (element_.undefined_length || value_left_ == 0) return true;
  const auto bytes = source_.peek(kShortHeader);
  const bool big_endian = element_.encoding.big_endian && element_.vr != Vr::UN;
  return value_left_ >= kShortHeader && bytes.size() == kShortHeader && tag_at(bytes.data(), big_endian) == kItem;
}

bool ElementReader::read_value(std::size_t at_most, std::string& out) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(value_left_, at_most));
  if (!source_.read(wanted, out)) {
    fail_from_source();
    return false;
  }
  value_left_ -= wanted;
  return true;
}

// Encapsulated pixel data: fragments up to a delimiter (PS3.5 annex A.4).
std::optional<std::uint32_t> ElementReader::next_fragment() {
  if (!fragments_ahead_) return std::nullopt;
  const auto stop = [this](Step) -> std::optional<std::uint32_t> {
    fragments_ahead_ = false;
    return std::nullopt;
  };
  if (!skip_rest_of_value()) return stop(fail_from_source());
  const auto bytes = source_.peek(kShortHeader);
  if (bytes.size() < kShortHeader) return stop(fail_from_source());
  const bool big_endian = element_.encoding.big_endian;
  const std::uint64_t bound = frames_.back().bound;
  const Tag tag = tag_at(bytes.data(), big_endian);
  const std::uint32_t length = number_at<std::uint32_t>(bytes.data() + 4, big_endian);
  if (tag == kSequenceEnd && fits(kShortHeader, bound)) {
    source_.consume(kShortHeader);
    return stop(Step::end_sequence);
  }
  if (tag != kItem || length == kUndefined || !fits(kShortHeader + std::uint64_t{length}, bound)) {
    return stop(damage("a fragment of element " + spelled(element_.tag) + " makes no sense"));
  }
  if (!count_element()) return stop(fail(Failure::limit, kTooManyElements));
  source_.consume(kShortHeader);
  if (!source_.may_hold(length)) return stop(fail_from_source());
  value_left_ = length;
  return length;
}

}  // namespace mercure::tags
