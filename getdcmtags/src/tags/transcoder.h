// Bytes in one encoding to UTF-8. Lenient: what cannot be decoded becomes U+FFFD and the rest goes on.
#ifndef MERCURE_TAGS_TRANSCODER_H
#define MERCURE_TAGS_TRANSCODER_H

#include <iconv.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace mercure::tags {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Appends `bytes` to `out`. False if anything had to be replaced.
bool append_utf8(std::string_view bytes, std::string& out);

// The bytes as valid UTF-8.
std::string utf8(std::string_view bytes);

bool is_utf8(std::string_view bytes);

// The converters of the C library, opened when first needed and kept for the next text. Not for several threads.
//
// DCMTK's OFCharacterEncoding is not used: built on the C library, as in Debian, it gives up at the first byte that
// it cannot decode, and one wrong byte must not cost a name (LESSONS 34).
class Transcoders {
 public:
  Transcoders() = default;
  ~Transcoders();
  Transcoders(const Transcoders&) = delete;
  Transcoders& operator=(const Transcoders&) = delete;

  // Appends `bytes`, which are in `encoding` (a name that iconv knows), to `out`; after a failure `unit` bytes are
  // left out for one U+FFFD. False if anything had to be replaced.
  bool append(const char* encoding, std::string_view bytes, std::size_t unit, std::string& out);

 private:
  iconv_t converter(const char* encoding);

  std::map<std::string_view, iconv_t> converters_;
};

}  // namespace mercure::tags

#endif
