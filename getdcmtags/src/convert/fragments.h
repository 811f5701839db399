// Which fragments of encapsulated pixel data make which frame (PS3.5 annex A.4).
#ifndef MERCURE_CONVERT_FRAGMENTS_H
#define MERCURE_CONVERT_FRAGMENTS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/compressed_syntax.h"

namespace mercure::convert {

struct Fragment {
  std::uint64_t offset;  // of its item, from the first one after the offset table
  bool begins_frame;     // by its first bytes; false where the codec has no such mark
};

// Whether a fragment that begins with these bytes begins a frame of this codec.
bool begins_frame(Codec codec, std::string_view first_bytes);

// How many fragments each frame has, in order; nothing where that cannot be told. `offsets` is the Basic Offset Table or
// the Extended one, and may be empty or wrong: it is used only where the number of fragments leaves it open.
std::optional<std::vector<std::uint32_t>> fragments_of_frames(std::uint32_t frames, const std::vector<Fragment>& fragments,
                                                              const std::vector<std::uint64_t>& offsets);

// The numbers of an offset table, each `width` bytes wide.
std::vector<std::uint64_t> offsets_in(std::string_view table, std::size_t width);

}  // namespace mercure::convert

#endif
