// Writes one JSON value into a string, on one line. Knows nothing of DICOM.
#ifndef MERCURE_TAGS_JSON_WRITER_H
#define MERCURE_TAGS_JSON_WRITER_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mercure::tags {

class JsonWriter {
 public:
  enum class Style : std::uint8_t { spaced, compact };  // a blank after commas and colons, or none

  explicit JsonWriter(Style style = Style::spaced);

  // Goes on with an object that was written already: more members can follow.
  static JsonWriter reopen(std::string object, Style style = Style::spaced);

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_list() { begin('['); }
  void end_list() { end(']'); }
  void key(std::string_view name);
  void text(std::string_view value);  // valid UTF-8
  void integer(std::int64_t value);
  void thousandths(std::int64_t value);  // 1234 is written 1.234; not negative
  void boolean(bool value);
  void null();
  void raw(std::string_view json);  // a whole value that was written elsewhere

  void member(std::string_view name, std::string_view value) {
    key(name);
    text(value);
  }

  std::size_t size() const { return out_.size(); }

  // What was written so far; an object that was not ended lacks its bracket.
  std::string take() { return std::move(out_); }

 private:
  void begin(char bracket);
  void end(char bracket);
  void separate();
  void quote(std::string_view value);

  Style style_;
  std::string out_;
  std::vector<bool> has_members_;
  bool after_key_ = false;
};

}  // namespace mercure::tags

#endif
