// The bytes of one value as the texts that stand for it in the tag record.
#ifndef MERCURE_TAGS_VALUES_H
#define MERCURE_TAGS_VALUES_H

#include <string>
#include <string_view>
#include <vector>

#include "tags/character_set.h"
#include "tags/vr.h"

namespace mercure::tags {

struct Texts {
  std::vector<std::string> values;  // one at least; "" for an empty value
  std::string problem;              // what was wrong; empty when nothing was
};

// A value of a text VR, or of UN taken as text. `cut` says that its end is missing and may be half a character.
Texts texts_of(std::string_view bytes, Vr vr, bool cut, const CharacterSet& charset, Transcoders& transcoders);

// A value of a VR of binary numbers. Bytes that do not make a whole number are left out and reported.
Texts numbers_of(std::string_view bytes, Vr vr, bool big_endian);

// Whether bytes that came as UN are text, `texts` being what they say as such: nothing undecodable, no control
// characters, and one NUL only where it pads a UID (small binary numbers are full of them).
bool is_text(std::string_view bytes, const Texts& texts);

std::string base64_of(std::string_view bytes);

}  // namespace mercure::tags

#endif
