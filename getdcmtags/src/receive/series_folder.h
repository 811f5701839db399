// `incoming/<series>`: where an association puts the images of one series, hand in hand with the router that takes such folders
// away (docs/reference/spool.md, "The receive sequence", steps 4 to 6 and 8).
#ifndef MERCURE_RECEIVE_SERIES_FOLDER_H
#define MERCURE_RECEIVE_SERIES_FOLDER_H

#include <string>
#include <string_view>

#include "descriptor.h"
#include "receive/part.h"

namespace mercure::receive {

struct Filed {
  std::string file;         // name in the folder
  bool repetition = false;  // it was there already with the same bytes
};

// One folder, opened and locked. All functions throw durable::StepError.
class SeriesFolder {
 public:
  // `incoming` is the stage, `name` the folder's. With `durable` false nothing is synced.
  SeriesFolder(std::string incoming, std::string name, bool durable);

  const std::string& name() const { return name_; }

  // Locks the folder against the router, who needs it alone; makes it first where it is missing or was taken away.
  class Lock {
   public:
    explicit Lock(SeriesFolder& folder);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    SeriesFolder& folder_;
  };

  // Gives the part its name, `<stem>.dcm` or, beside another image of that name, `<stem>~2.dcm` and so on, and makes the entry
  // durable. Needs a Lock. A repetition of the last version that its sender sent leaves the part where it is, but for one of
  // an image that the disk has altered since: then it takes its place. An older version that comes again is the last one now.
  Filed file(Part& part, const std::string& stem);

  // Appends one tag line (with its newline) to `<association>.jsonl`. Needs a Lock.
  void add_tag_line(const std::string& association, std::string_view line);

 private:
  void open();
  bool is_in_place() const;
  enum class Compared { same, other_content, other_sender };
  Compared compare(const std::string& name, Part& part);
  bool is_repetition(const std::string& stem, unsigned long last, Part& part, std::string& name);
  bool is_there(const std::string& name) const;
  unsigned long last_version(const std::string& stem) const;
  void replace(const std::string& name, Part& part);

  std::string incoming_;
  std::string name_;
  std::string path_;
  bool durable_;
  Descriptor directory_;
  std::string tags_path_;
  Descriptor tags_;
};

}  // namespace mercure::receive

#endif
