// Builds the tag record of one file from what the element reader meets.
#ifndef MERCURE_TAGS_RECORD_BUILDER_H
#define MERCURE_TAGS_RECORD_BUILDER_H

#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tags/character_set.h"
#include "tags/element_reader.h"
#include "tags/file_start.h"
#include "tags/json_writer.h"
#include "tags/pixels.h"
#include "tags/tag_record.h"
#include "tags/values.h"

namespace mercure::tags {

// Which elements one data set or item has shown. They ascend in every proper file, so the set is hardly ever needed.
class SeenTags {
 public:
  bool first_time(Tag tag);

 private:
  std::vector<std::uint32_t> ascending_;
  std::unordered_set<std::uint32_t> others_;
};

class RecordBuilder {
 public:
  RecordBuilder(const Limits& limits, const std::string& character_set);

  void add_start(const FileStart& start);

  // Reads the groups wanted of the data set. False when the file must be refused: `reason()` says why.
  bool add_data_set(ByteSource& source, Encoding encoding, Groups wanted);

  const std::string& reason() const { return reason_; }

  // Whether a limit ended the reading before the groups wanted did.
  bool ended_early() const { return ended_early_; }
  Header header() const;
  const Pixels& pixels() const { return pixels_; }

  // What add_data_set() passed over.
  const Foreign& foreign() const { return foreign_; }
  std::string finish(const std::vector<Extra>& extras);

  // The same for a data set that cannot be read to its end: what came before, and `Fault`, what is wrong.
  std::string finish_at_fault(const std::string& reason, std::vector<Extra> extras);

 private:
  // What applies inside one data set or item.
  struct Level {
    std::shared_ptr<const CharacterSet> charset;
    std::vector<std::pair<std::uint32_t, std::string>> creators;  // (group << 8 | block) → private creator
    bool signed_pixels = false;
    SeenTags seen;
  };
  struct Open {
    bool is_list;
    bool written;
  };

  bool add_all(ElementReader& reader);
  void on_element(ElementReader& reader);
  void on_sequence(ElementReader& reader, const std::string& key);
  void on_value(ElementReader& reader, const Element& element, Vr vr, const std::string& key);
  void on_item();
  void close();
  bool cut_or_refuse(const ElementReader& reader);
  Texts read_texts(std::string_view bytes, const Element& element, Vr vr, bool cut) const;
  void note(Tag tag, const Texts& texts);
  void note_pixels(const Element& element, Vr vr, std::string bytes);
  Vr resolve(ElementReader& reader, const Element& element) const;
  const std::string* creator_of(Tag tag) const;
  std::string key_of(Tag tag) const;
  bool visible(Tag tag) const;
  void write(const std::vector<std::string>& values);
  void problem(const std::string& key, const std::string& what);
  void leave_out(const std::string& key);
  void write_left_out();
  void tell_foreign(const Foreign& foreign);

  const Limits& limits_;
  mutable Transcoders transcoders_;
  JsonWriter json_;
  Header header_;
  Pixels pixels_;
  std::vector<Level> levels_{1};
  std::vector<Open> open_;
  std::vector<std::string> sequence_keys_;
  std::vector<std::string> problems_;
  std::set<std::vector<std::string>> left_out_;  // keys of values, after those of the sequences around them
  std::size_t left_out_bytes_ = 0;
  std::string reason_;
  Foreign foreign_;
  std::uint16_t top_group_ = 0;
  bool cut_ = false;
  bool ended_early_ = false;
};

}  // namespace mercure::tags

#endif
