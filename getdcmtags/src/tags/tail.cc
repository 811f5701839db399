#include "tags/tail.h"

#include <algorithm>
#include <array>

namespace mercure::tags {
namespace {

constexpr Groups kAllGroups{0x0000, 0xFFFF, true};
constexpr unsigned kMostZeros = 1'000;  // elements of nothing but zeros: padding, which may be gigabytes of a sparse file
constexpr std::array<Tag, 3> kPixelData{{{0x7FE0, 0x0010}, {0x7FE0, 0x0008}, {0x7FE0, 0x0009}}};
constexpr std::string_view kRle = "1.2.840.10008.1.2.5";
constexpr std::string_view kCompressed = "1.2.840.10008.1.2.4.";
constexpr std::string_view kOfTheStandard = "1.2.840.10008.";

// Where as many bytes are needed as the attributes say. A private syntax may need fewer.
constexpr std::array<std::string_view, 4> kUncompressed{"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99",
                                                        "1.2.840.10008.1.2.2"};

// Where one fragment may hold many frames: video (PS3.5 section A.4.5 and the following), and JPEG 2000 of several components.
constexpr std::array<std::string_view, 3> kManyInOne{"1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.4.92",
                                                     "1.2.840.10008.1.2.4.93"};

bool is_pixel_data(Tag tag) { return std::find(kPixelData.begin(), kPixelData.end(), tag) != kPixelData.end(); }

bool has_a_fragment_for_each_frame(std::string_view syntax) {
  if (syntax == kRle) return true;
  return syntax.starts_with(kCompressed) &&
         std::none_of(kManyInOne.begin(), kManyInOne.end(), [&](std::string_view known) { return syntax.starts_with(known); });
}

bool is_uncompressed(std::string_view syntax) { return std::find(kUncompressed.begin(), kUncompressed.end(), syntax) != kUncompressed.end(); }

class Walk {
 public:
  Walk(ByteSource& source, Encoding encoding, const Limits& limits, const Pixels& pixels, std::string_view syntax)
      : reader_(source, encoding, kAllGroups, limits), pixels_(pixels), syntax_(syntax) {}

  Tail whole() {
    Step step = reader_.next();
    for (; step != Step::end && step != Step::failed; step = reader_.next()) {
      if (step == Step::item) ++depth_;
      if (step == Step::end_item) --depth_;
      if (step != Step::element) continue;
      if (reader_.element().tag.number() == 0 && ++zeros_ > kMostZeros) break;
      on_element();
    }
    if (step == Step::failed) on_failure();
    const bool is_wanted = pixels_.whole_bytes() > 0 && !pixels_.is_elsewhere && is_of_the_standard();
    if (step == Step::end && !found_ && tail_.shortage.empty() && is_wanted) {
      tail_.shortage = "the pixel data is missing";
    }
    return tail_;
  }

 private:
  bool is_of_the_standard() const { return syntax_.starts_with(kOfTheStandard); }

  void on_element() {
    const Element& element = reader_.element();
    if (depth_ == 0 && is_pixel_data(element.tag)) return element.undefined_length ? on_fragments() : on_native(element);
    const Vr vr = element.vr.value_or(Vr::UN);
    const bool is_sequence = vr == Vr::SQ || (vr == Vr::UN && (element.undefined_length || public_vr(element.tag) == Vr::SQ));
    if (is_sequence) reader_.enter_sequence();
  }

  void on_native(const Element& element) {
    found_ = true;
    const std::uint64_t whole = pixels_.whole_bytes();
    if (!is_uncompressed(syntax_) || element.length >= whole) return;
    tail_.shortage = "the pixel data has " + std::to_string(element.length) + " of " + std::to_string(whole) + " bytes";
  }

  void on_fragments() {
    found_ = true;
    std::uint64_t fragments = 0;
    while (reader_.next_fragment()) ++fragments;
    const std::uint64_t frames = fragments > 0 ? fragments - 1 : 0;  // the first one is the table of offsets
    const std::uint64_t wanted = has_a_fragment_for_each_frame(syntax_) ? pixels_.frames : 1;
    if (reader_.failure() == Failure::limit) return;
    if (reader_.failed_or_damaged()) {
      tail_.shortage = "the pixel data has no end: it breaks off after " + std::to_string(fragments) + " fragments";
    } else if (frames < wanted && is_of_the_standard()) {
      tail_.shortage = "the pixel data has " + std::to_string(frames) + " fragments for " + std::to_string(wanted) + " frames";
    }
  }

  void on_failure() {
    if (reader_.failure() == Failure::too_deep) tail_.too_deep = reader_.reason();
    const bool breaks_off = reader_.failure() != Failure::too_deep && reader_.failure() != Failure::limit;
    if (!breaks_off || !tail_.shortage.empty()) return;
    const Element& element = reader_.element();
    if (depth_ == 0 && is_pixel_data(element.tag) && !found_) {
      tail_.shortage = "the data set breaks off within the pixel data, which was to have " + std::to_string(element.length) + " bytes";
    } else {
      tail_.shortage = "the data set breaks off within element " + spelled(element.tag);
    }
  }

  ElementReader reader_;
  const Pixels& pixels_;
  std::string_view syntax_;
  Tail tail_;
  unsigned zeros_ = 0;
  unsigned depth_ = 0;
  bool found_ = false;
};

}  // namespace

Tail read_tail(ByteSource& source, Encoding encoding, const Limits& limits, const Pixels& pixels, std::string_view transfer_syntax) {
  return Walk(source, encoding, limits, pixels, transfer_syntax).whole();
}

}  // namespace mercure::tags
