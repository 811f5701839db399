// Which id a receiver gave last, kept over its restarts: `state/clock/receiver-ids.json` (docs/reference/spool.md, "Locks").
#ifndef MERCURE_ID_NOTE_H
#define MERCURE_ID_NOTE_H

#include <string>

#include "descriptor.h"

namespace mercure {

class IdNote {
 public:
  // `spool` is its root. Within one boot of the machine (`boot` tells which) no note is lost, but for those of the last seconds.
  explicit IdNote(const std::string& spool, std::string boot = this_boot());

  // Has the ids of this process and of its children to come go on after all that were given before, whatever the clock shows,
  // and notes where, synced: the next one must know it even if the power goes at once. Throws durable::StepError; ids are in
  // order then, too.
  void begin();

  // Notes the newest id. Cheap, and no step: it is not synced, and a note that is lost is what begin() reckons with.
  void keep();

  static std::string this_boot();

 private:
  std::string line(long long newest) const;

  std::string spool_;
  std::string folder_;
  std::string path_;
  std::string boot_;
  Descriptor file_;
  long long noted_ = 0;
};

}  // namespace mercure

#endif
