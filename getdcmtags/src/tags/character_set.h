// Specific Character Set (0008,0005) and the decoding of text by it (PS3.3 C.12.1.1.2, PS3.5 section 6.1).
#ifndef MERCURE_TAGS_CHARACTER_SET_H
#define MERCURE_TAGS_CHARACTER_SET_H

#include <string>
#include <string_view>
#include <vector>

#include "tags/transcoder.h"

namespace mercure::tags {

struct CodeSet;

struct Decoded {
  std::string text;     // valid UTF-8
  std::string problem;  // "not valid in ISO 2022 IR 87"; empty when the text is what was sent
};

class CharacterSet {
 public:
  // The default repertoire: ASCII. What is no ASCII is read where there is one way to: as UTF-8, or by its escape sequences.
  CharacterSet() = default;

  // Assumed for a sender that names none: its terms as in the element, separated by backslashes. Texts by it are a problem each.
  static CharacterSet assumed(const std::string& terms);

  // From the values of the element. Common misspellings are understood; a term that is not is named in `problem`.
  CharacterSet(const std::vector<std::string>& terms, std::string& problem);

  // Decodes a whole value, its backslashes included: only the text after decoding may be split at them, since bytes of
  // several sets contain 0x5C. In a person name `^` and `=` end a code extension as the backslash does.
  Decoded decode(std::string_view bytes, bool person_name, Transcoders& transcoders) const;

 private:
  Decoded decode_named(std::string_view bytes, bool person_name, Transcoders& transcoders) const;
  Decoded decode_extended(std::string_view bytes, bool person_name, Transcoders& transcoders) const;

  const CodeSet* whole_ = nullptr;        // one encoding for everything: UTF-8, GB18030, GBK
  const CodeSet* initial_g0_ = nullptr;   // bytes below 128; nullptr is ASCII
  const CodeSet* initial_g1_ = nullptr;   // bytes from 128 on; nullptr is none
  const CodeSet* fallback_g1_ = nullptr;  // for writers that forget the escape sequence of the only other set
  bool extensions_ = false;               // escape sequences mean something
  bool named_ = false;                    // by the data set, or by a person
  std::string assumed_;                   // by which terms, where the data set names none
};

}  // namespace mercure::tags

#endif
