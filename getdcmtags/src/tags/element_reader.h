// Walks a data set element by element (PS3.5 section 7) without recursion: what is open is a list on the heap, so
// nesting costs memory that a limit bounds, and never stack. DCMTK's parser recurses and dies of about 8,000 levels
// (LESSONS 32); docs/decisions/0010 says why its parser is not used here at all.
//
//   for (auto step = reader.next(); step != Step::end && step != Step::failed; step = reader.next()) …
#ifndef MERCURE_TAGS_ELEMENT_READER_H
#define MERCURE_TAGS_ELEMENT_READER_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tags/byte_source.h"
#include "tags/dictionary.h"
#include "tags/tag_record.h"
#include "tags/vr.h"

namespace mercure::tags {

struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
};

struct Element {
  Tag tag;
  std::optional<Vr> vr;  // as sent; absent in implicit VR
  std::uint32_t length = 0;
  bool undefined_length = false;
  Encoding encoding;  // of its surroundings
};

// The groups to read at the top level; reading ends before the first element of another one.
struct Groups {
  std::uint16_t first;
  std::uint16_t last;
  bool foreign_too = false;    // for what is no data set
  bool directory_too = false;  // group 0004, for a DICOMDIR
};

// What belongs to a command, to a meta header or to a directory, and into no data set (PS3.5 section 7.1).
constexpr bool is_foreign(std::uint16_t group) { return group <= 0x0006 && group % 2 == 0; }

// Elements that were passed over, for their groups are foreign in a data set.
struct Foreign {
  static constexpr std::size_t kMostRanges = 256;

  std::vector<Range> ranges;          // of those at the top level, as many as that; adjacent ones are one
  std::vector<std::uint16_t> groups;  // of all, each once
};

enum class Step : std::uint8_t {
  element,       // element() is new; its value is skipped unless it is read or entered
  item,          // an item of the sequence that was entered begins
  end_item,
  end_sequence,
  damaged,       // the innermost sequence of known length makes no sense; what is left of it is passed over
  end,           // of the data set or of the groups wanted
  failed,        // see failure()
};

enum class Failure : std::uint8_t { none, truncated, damaged, too_deep, limit, unreadable };

// Elements of foreign groups are passed over, at each level, unless they are wanted.
class ElementReader {
 public:
  ElementReader(ByteSource& source, Encoding encoding, Groups wanted, const Limits& limits);

  Step next();
  const Element& element() const { return element_; }

  // Appends the value of element(), at most `at_most` bytes of it. Once per element.
  bool read_value(std::size_t at_most, std::string& out);

  // Makes next() go through the items of element().
  void enter_sequence();

  // Whether the value of element() begins like a sequence: with an item, or with nothing.
  bool looks_like_sequence();

  // Goes to the next fragment of element(), which has encapsulated pixel data: its length, and read_value() reads it.
  // Nothing after the last one; then failed_or_damaged() tells whether that was in order.
  std::optional<std::uint32_t> next_fragment();
  bool failed_or_damaged() const { return failure_ != Failure::none || passing_over_; }

  const Foreign& foreign() const { return foreign_; }

  // Whether what was entered last names its length, after Step::item and enter_sequence().
  bool has_known_length() const { return frames_.back().end != kOpen; }

  Failure failure() const { return failure_; }
  const std::string& reason() const { return reason_; }

 private:
  enum class Kind : std::uint8_t { data_set, sequence, item };
  struct Frame {
    Kind kind;
    bool probe_vr = false;        // UN promises implicit VR; some writers break that
    Encoding encoding;
    std::uint64_t end = kOpen;    // position of its end; kOpen for an undefined length
    std::uint64_t bound = kOpen;  // position that nothing in it may pass: its end or that of what it is in
  };
  static constexpr std::uint64_t kOpen = UINT64_MAX;

  bool is_unwanted(std::uint16_t group) const;
  Step advance();
  Step pass_over_foreign();
  bool skip_foreign_sequence();
  Step next_element();
  Step next_item();
  bool shows_vr(std::uint64_t bound);
  Step begin_item(std::uint32_t length);
  Step close();
  Step finish_passing_over();
  Step damage(const std::string& what);
  Step fail(Failure failure, std::string reason);
  Step fail_from_source();
  bool count_element();
  bool skip_rest_of_value();
  bool fits(std::uint64_t length, std::uint64_t bound);
  std::size_t read_header(const std::uint8_t* bytes, std::size_t available);
  std::size_t read_explicit_header(const std::uint8_t* bytes, std::size_t available, Encoding encoding);

  ByteSource& source_;
  const Limits& limits_;
  Groups wanted_;
  std::vector<Frame> frames_;
  Element element_;
  std::uint64_t element_begin_ = 0;
  std::uint64_t value_left_ = 0;
  Foreign foreign_;
  bool fragments_ahead_ = false;
  bool passing_over_ = false;
  std::size_t keep_frames_ = 0;  // while passing over: the frames that stay open
  std::uint64_t elements_ = 0;
  std::uint32_t sequences_ = 0;
  Failure failure_ = Failure::none;
  std::string reason_;
};

std::string spelled(Tag tag);  // "gggg,eeee" in lower-case hexadecimal

}  // namespace mercure::tags

#endif
