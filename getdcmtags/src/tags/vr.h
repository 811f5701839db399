// Value representations (PS3.5 section 6.2) and what the reader has to know of each.
#ifndef MERCURE_TAGS_VR_H
#define MERCURE_TAGS_VR_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace mercure::tags {

enum class Vr : std::uint8_t {
  AE, AS, AT, CS, DA, DS, DT, FD, FL, IS, LO, LT, OB, OD, OF, OL, OV, OW, PN, SH, SL, SQ, SS, ST, SV, TM, UC, UI, UL,
  UN, UR, US, UT, UV,
  US_OR_SS,  // in the dictionary only: decided by PixelRepresentation
};

// How a value is turned into text.
enum class Kind : std::uint8_t { text, number, bulk, sequence };

struct VrTraits {
  std::string_view name;
  Kind kind;
  std::uint8_t width;        // bytes of one binary number, else 0
  bool long_length;          // explicit VR: two reserved bytes and a length of 32 bits
  bool charset;              // text in the Specific Character Set
  bool one_value;            // a backslash is text
  bool keep_leading_spaces;  // only the end is padding
};

const VrTraits& traits(Vr vr);

// The VR spelled by two bytes, if the standard knows it.
std::optional<Vr> vr_from(char first, char second);

}  // namespace mercure::tags

#endif
