// `quarantine/<image id>/`: bytes that cannot be read, with reason.json (docs/reference/mercure-storescp.1.md, "Quarantine").
#ifndef MERCURE_RECEIVE_QUARANTINE_H
#define MERCURE_RECEIVE_QUARANTINE_H

#include <cstdint>
#include <string>

#include "receive/sender.h"

namespace mercure::receive {

// An object that could not be read; most of this comes from the sender's command.
struct Unreadable {
  std::string image;  // id, and the name of the entry
  std::string reason;
  std::uint64_t bytes = 0;
  std::string sop_class;
  std::string sop_instance;
  std::string transfer_syntax;
};

// Moves a part into a new entry of the stage `quarantine`, as `object.part`. Throws durable::StepError; the part is then where it was.
void quarantine_part(const std::string& quarantine, const std::string& part, const Unreadable& object, const Sender& sender);

}  // namespace mercure::receive

#endif
