// What the events of an object say (docs/reference/events.md).
#ifndef MERCURE_RECEIVE_IMAGE_EVENTS_H
#define MERCURE_RECEIVE_IMAGE_EVENTS_H

#include <cstdint>
#include <string>

#include "outbox.h"
#include "receive/quarantine.h"
#include "receive/quota_use.h"
#include "receive/sender.h"
#include "receive/series_folder.h"
#include "receive/statuses.h"
#include "tags/tag_record.h"

namespace mercure::receive {

// An image that is kept, for image.received.
struct ReceivedImage {
  std::string image;
  std::string folder;
  Filed filed;
  std::uint64_t bytes = 0;
  std::string transfer_syntax;
  bool durable = true;
};

void emit_received(Outbox& outbox, const Sender& sender, const ReceivedImage& received, const tags::Header& header);
void emit_truncated(Outbox& outbox, const Sender& sender, const std::string& image, const tags::Header& header, const std::string& shortage);
void emit_refused(Outbox& outbox, const Sender& sender, const std::string& sop_instance, const Answer& answer);
void emit_quota(Outbox& outbox, const Sender& sender, const QuotaWarning& warning);
void emit_quarantined(Outbox& outbox, const Sender& sender, const Unreadable& object, const Quarantined& kept);

}  // namespace mercure::receive

#endif
