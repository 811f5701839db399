// What is known of data elements by their number. Compiled in, so that starting costs nothing (LESSONS 43); DCMTK's
// dictionary is read from a file at every start in Debian's build.
#ifndef MERCURE_TAGS_DICTIONARY_H
#define MERCURE_TAGS_DICTIONARY_H

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tags/vr.h"

namespace mercure::tags {

struct Tag {
  std::uint16_t group = 0;
  std::uint16_t element = 0;

  constexpr std::uint32_t number() const { return (std::uint32_t{group} << 16) | element; }
  constexpr bool is_private() const { return (group & 1) != 0; }
  constexpr bool is_private_creator() const { return is_private() && element >= 0x10 && element <= 0xFF; }
  constexpr auto operator<=>(const Tag&) const = default;
};

struct PublicEntry {
  std::uint32_t tag;
  Vr vr;
  const char* keyword;
};

// The entry of a public element, or nullptr. Repeating groups (50xx, 60xx) are known by their first group alone.
const PublicEntry* find_public(Tag tag);

// The VR of a public element, the repeating groups included.
std::optional<Vr> public_vr(Tag tag);

// The VR of a private element of a known creator, from the private dictionary of the DCMTK built against.
std::optional<Vr> private_vr(Tag tag, std::string_view creator);

}  // namespace mercure::tags

#endif
