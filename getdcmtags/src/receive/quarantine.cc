#include "receive/quarantine.h"

#include "durable.h"
#include "ids.h"
#include "json.h"

namespace mercure::receive {

namespace {

void write_reason(const std::string& path, const Unreadable& object, const Sender& sender) {
  const Json reason = {{"version", 1},
                       {"image", object.image},
                       {"association", sender.association},
                       {"time", Instant::now().text()},
                       {"reason", object.reason},
                       {"bytes", object.bytes},
                       {"sop_class", object.sop_class},
                       {"sop", object.sop_instance},
                       {"transfer_syntax", object.transfer_syntax},
                       {"address", sender.address},
                       {"calling_aet", sender.calling_aet},
                       {"called_aet", sender.called_aet}};
  const Descriptor file = durable::create_file(path);
  durable::write(file.get(), to_line(reason) + '\n', path);
  durable::sync_file(file.get(), path);
}

}  // namespace

void quarantine_part(const std::string& quarantine, const std::string& part, const Unreadable& object, const Sender& sender) {
  const std::string hidden = quarantine + "/." + new_id();  // not the image's: a process that crashed here left that one
  durable::make_directory(hidden);
  write_reason(hidden + "/reason.json", object, sender);
  durable::rename(part, hidden + "/object.part");
  durable::sync_directory(hidden);
  durable::rename(hidden, quarantine + '/' + object.image);
  durable::sync_directory(quarantine);
}

}  // namespace mercure::receive
