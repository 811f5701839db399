#include "convert/fragments.h"

#include <algorithm>

#include "tags/byte_order.h"

namespace mercure::convert {
namespace {

using Counts = std::vector<std::uint32_t>;

// Turns the places of first fragments into numbers of fragments; nothing unless the first is 0 and all are in order.
std::optional<Counts> counts_between(const std::vector<std::size_t>& firsts, std::size_t end) {
  Counts counts;
  for (std::size_t place = 0; place < firsts.size(); ++place) {
    const std::size_t next = place + 1 < firsts.size() ? firsts[place + 1] : end;
    if (next <= firsts[place]) return std::nullopt;
    counts.push_back(static_cast<std::uint32_t>(next - firsts[place]));
  }
  const bool complete = !firsts.empty() && firsts.front() == 0;
  return complete ? std::optional(counts) : std::nullopt;
}

std::optional<Counts> by_offsets(std::uint32_t frames, const std::vector<Fragment>& fragments,
                                 const std::vector<std::uint64_t>& offsets) {
  if (offsets.size() != frames) return std::nullopt;
  std::vector<std::size_t> firsts;
  for (const std::uint64_t offset : offsets) {
    const auto found = std::lower_bound(fragments.begin(), fragments.end(), offset,
                                        [](const Fragment& fragment, std::uint64_t at) { return fragment.offset < at; });
    if (found == fragments.end() || found->offset != offset) return std::nullopt;
    firsts.push_back(static_cast<std::size_t>(found - fragments.begin()));
  }
  return counts_between(firsts, fragments.size());
}

std::optional<Counts> by_marks(std::uint32_t frames, const std::vector<Fragment>& fragments) {
  std::vector<std::size_t> firsts;
  for (std::size_t place = 0; place < fragments.size(); ++place) {
    if (fragments[place].begins_frame) firsts.push_back(place);
  }
  return firsts.size() == frames ? counts_between(firsts, fragments.size()) : std::nullopt;
}

}  // namespace

bool begins_frame(Codec codec, std::string_view first_bytes) {
  switch (codec) {
    case Codec::jpeg:
    case Codec::jpeg_ls:
      return first_bytes == "\xFF\xD8";  // SOI
    case Codec::jpeg_2000:
      return first_bytes == "\xFF\x4F";  // SOC
    case Codec::rle:  // one fragment a frame, always (PS3.5 annex G.5)
    case Codec::deflate:
      return false;
  }
  return false;
}

std::optional<Counts> fragments_of_frames(std::uint32_t frames, const std::vector<Fragment>& fragments,
                                          const std::vector<std::uint64_t>& offsets) {
  if (fragments.size() < frames || frames == 0) return std::nullopt;
  if (frames == 1) return Counts{static_cast<std::uint32_t>(fragments.size())};
  if (fragments.size() == frames) return Counts(frames, 1);
  if (auto counts = by_offsets(frames, fragments, offsets)) return counts;
  return by_marks(frames, fragments);
}

std::vector<std::uint64_t> offsets_in(std::string_view table, std::size_t width) {
  std::vector<std::uint64_t> offsets;
  for (std::size_t at = 0; at + width <= table.size(); at += width) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(table.data() + at);
    offsets.push_back(width == 8 ? tags::number_at<std::uint64_t>(bytes, false) : tags::number_at<std::uint32_t>(bytes, false));
  }
  return offsets;
}

}  // namespace mercure::convert
