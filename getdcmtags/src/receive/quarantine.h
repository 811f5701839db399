// `quarantine/<image id>/`: bytes that cannot be read, with reason.json (docs/reference/spool.md, "Quarantine").
#ifndef MERCURE_RECEIVE_QUARANTINE_H
#define MERCURE_RECEIVE_QUARANTINE_H

#include <cstdint>
#include <optional>
#include <string>

#include "receive/layout.h"
#include "receive/sender.h"

namespace mercure::receive {

// An object that could not be read; most of this comes from the sender's command.
struct Unreadable {
  std::string image;  // id, and the name of its entry
  std::string reason;
  std::uint64_t bytes = 0;
  std::string sop_class;
  std::string sop_instance;
  std::string transfer_syntax;
};

// How much may lie there. Never more than a twentieth of the disk: it has to hold the images that can be read.
struct QuarantineLimits {
  std::uint64_t bytes = 10'000'000'000;
  std::uint64_t objects = 10'000;
};

// What became of an unreadable object.
struct Quarantined {
  std::string entry = {};   // where its bytes are; empty when they are not kept
  bool repetition = false;  // the same bytes of the same sender were there already: they are counted, the part stays where it was
  std::string not_kept = {};  // why not
};

// Moves a part into a new entry of the stage `quarantine`, as `object.part`. Throws durable::StepError; the part is then where it was.
Quarantined quarantine_part(const Layout& layout, const QuarantineLimits& limits, const std::string& part, const Unreadable& object,
                            const Sender& sender);

// Where an image goes that was read again.
struct Filing {
  std::string folder;
  std::string file;
};

// Notes, before the part that lies in the entry gets its name in `incoming/`, where to. From then on only that rename may take the part away: a note
// without a part says that the image was filed. Throws durable::StepError.
void note_filing(const std::string& entry, const Filing& filing);

// Where the image of an entry was filed by a reading that did not come to its end. Absent: it was not; what that left is then removed.
// Throws durable::StepError.
std::optional<Filing> filed_before(const std::string& entry);

}  // namespace mercure::receive

#endif
