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
  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_list() { begin('['); }
  void end_list() { end(']'); }
  void key(std::string_view name);
  void text(std::string_view value);  // valid UTF-8
  void integer(std::int64_t value);
  void thousandths(std::int64_t value);  // 1234 is written 1.234; not negative
  void null();

  std::size_t size() const { return out_.size(); }
  std::string take() { return std::move(out_); }

 private:
  void begin(char bracket);
  void end(char bracket);
  void separate();
  void quote(std::string_view value);

  std::string out_;
  std::vector<bool> has_members_;
  bool after_key_ = false;
};

}  // namespace mercure::tags

#endif
