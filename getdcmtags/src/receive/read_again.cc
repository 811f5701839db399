#include "receive/read_again.h"

#include <fcntl.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>

#include "descriptor.h"
#include "dimse/command_set.h"
#include "durable.h"
#include "ids.h"
#include "json.h"
#include "outbox.h"
#include "receive/association_folder.h"
#include "receive/child_jail.h"
#include "receive/layout.h"
#include "receive/progress.h"
#include "receive/quarantine.h"
#include "receive/sender.h"
#include "receive/store.h"
#include "receive/wake_up.h"

namespace mercure::receive {

namespace {

// What the sender's command and association said of an object in quarantine.
class Reason {
 public:
  explicit Reason(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    json_ = Json::parse(file, nullptr, false);
    if (!json_.is_object()) throw std::runtime_error(path + " cannot be read");
  }

  std::string text(const char* key) const {
    const auto found = json_.find(key);
    return found != json_.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  Sender sender() const {
    return {.association = text("association"), .address = text("address"), .calling_aet = text("calling_aet"), .called_aet = text("called_aet"),
            .router = text("router"), .certificate_subject = text("certificate_subject")};
  }

 private:
  Json json_;
};

// The header has room for a time of this form and no other.
std::string time_of(const Reason& reason) {
  const std::string now = Instant::now().text();
  const std::string time = reason.text("time");
  return time.size() == now.size() ? time : now;
}

std::string filed_as(const std::string& folder, const std::string& file, bool repetition) {
  return to_line(Json{{"read", true}, {"folder", folder}, {"file", file}, {"repetition", repetition}});
}

std::string answer_of(const Answer& answer, const Store& store) {
  if (!answer.is_kept() || !store.last()) return to_line(Json{{"read", false}, {"reason", answer.comment}});
  const auto& [folder, filed] = *store.last();
  return filed_as(folder, filed.file, filed.repetition);
}

}  // namespace

std::string read_again(const Config& config, const std::string& entry) {
  const Layout layout(config.spool);
  if (entry.empty() || entry.front() == '.' || entry.find('/') != std::string::npos) throw std::runtime_error("not an entry: " + entry);
  const std::string path = layout.quarantine + '/' + entry;
  const Reason reason(path + "/reason.json");
  const Descriptor file(open((path + "/object.part").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw durable::StepError(errno, "open", path + "/object.part");
  if (const auto filed = filed_before(path)) return filed_as(filed->folder, filed->file, false);
  Sender sender = reason.sender();
  const KnownSender* known = find_sender(config.senders, sender);
  sender.name = known == nullptr ? unlisted_name(sender.calling_aet, sender.address) : known->name;
  SharedProgress progress;
  Outbox outbox(layout.outbox, "receiver");
  const WakeUp wake_up;
  const std::string own = new_id();  // the association may still be open
  const Descriptor lock = open_association_folder(layout.receiving, own);
  const ChildJail jail(layout);
  jail.enter();
  jail.keep_to(own);
  std::string answer;
  {
    Store store(config, layout, sender, *progress, outbox, wake_up, nullptr, own);
    const dimse::Command command{.has_data_set = true, .sop_class = reason.text("sop_class"), .sop_instance = reason.text("sop")};
    answer = answer_of(store.read_again(command, reason.text("transfer_syntax"), entry, time_of(reason), file.get()), store);
  }
  remove_association_folder(layout.receiving, own);
  return answer;
}

}  // namespace mercure::receive
