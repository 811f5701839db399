// A C-STORE from its first fragment to its answer (docs/reference/spool.md, "The receive sequence", steps 2 to 8).
#ifndef MERCURE_RECEIVE_STORE_H
#define MERCURE_RECEIVE_STORE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dimse/command_set.h"
#include "dimse/messages.h"
#include "ids.h"
#include "outbox.h"
#include "receive/config.h"
#include "receive/layout.h"
#include "receive/part.h"
#include "receive/progress.h"
#include "receive/quota_use.h"
#include "receive/sender.h"
#include "receive/series_folder.h"
#include "receive/statuses.h"
#include "receive/wake_up.h"
#include "tags/tag_record.h"

namespace mercure::receive {

class Store {
 public:
  // All arguments but `folder` outlive this. `quotas`: of the sender; null: it has none. It is that of the parts in `receiving/`, and of the tag lines; empty: the association's.
  Store(const Config& config, const Layout& layout, const Sender& sender, Progress& progress, Outbox& outbox, const WakeUp& server,
        QuotaUse* quotas = nullptr, const std::string& folder = {});

  // Receives the data set that follows `request` on `context`, files it, and sends the answer. Whatever fails on our side becomes
  // an answer; nothing is thrown.
  dimse::End receive(const dimse::Command& request, std::uint8_t context, const std::string& transfer_syntax,
                     dimse::Messages& messages);

  // Reads an object of the quarantine again: `file` is open. One that can be read is filed as if it came now, but for its id, its sender
  // and the time at which it came. Throws durable::StepError.
  Answer read_again(const dimse::Command& request, const std::string& transfer_syntax, const std::string& image, const std::string& received,
                    int file);

  // Where an image is in `incoming`.
  struct Place {
    std::string folder;
    Filed filed;
  };

  // Of the last one that was filed.
  const std::optional<Place>& last() const { return last_; }

 private:
  // The object at hand.
  struct Object {
    const dimse::Command& request;
    const std::string& transfer_syntax;
    std::string image;  // id
    std::uint64_t received = 0;
    std::uint64_t next_look = 0;  // at the disk, once so much has been received
    std::optional<Part> part = std::nullopt;
    std::optional<Answer> refusal = std::nullopt;
    bool is_corrected = false;
    bool is_read_again = false;  // from quarantine: then the part lies in its entry, where nobody else clears it
    std::optional<std::string> received_at = std::nullopt;  // absent: now
  };

  dimse::End take_data_set(Object& object, std::uint8_t context, dimse::Messages& messages);
  void start(Object& object);
  void add(Object& object, const dimse::Fragment& fragment);
  void look_at_quotas(Object& object);
  void look_at_disk(Object& object);
  void make_part(Object& object);
  Answer finish(Object& object);
  Answer keep(Object& object);
  Answer quarantine(Object& object, const std::string& reason);
  tags::Result read_header(const Object& object, const std::string& at) const;
  void leave_out(Object& object, const std::vector<tags::Range>& ranges, const std::string& at);
  void correct_header(Object& object, const tags::Header& header);
  void file(Object& object, const tags::Result& record);
  Filed file_read_again(Object& object, SeriesFolder& folder, const std::string& stem) const;
  void warn_of_shortage(const Object& object, const tags::Result& record);
  SeriesFolder& folder_of(const tags::Header& header);
  void add_tag_line(const Object& object, SeriesFolder& folder, const std::string& record, const std::string& name) const;
  void refused(const Object& object, const Answer& answer);

  const Config& config_;
  const Layout& layout_;
  const Sender& sender_;
  Progress& progress_;
  Outbox& outbox_;
  const WakeUp& server_;
  QuotaUse* const quotas_;
  const std::string folder_;
  const std::string character_set_;  // assumed where an image names none
  std::string buffer_;
  unsigned long count_ = 0;
  std::optional<SeriesFolder> series_;
  std::optional<std::string> last_short_series_;
  std::optional<Place> last_;
};

}  // namespace mercure::receive

#endif
