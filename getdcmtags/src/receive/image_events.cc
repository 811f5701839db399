#include "receive/image_events.h"

#include <array>
#include <cstdio>
#include <optional>

namespace mercure::receive {

namespace {

std::string hexadecimal(std::uint16_t status) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%04X", static_cast<unsigned>(status));
  return text.data();
}

}  // namespace

void emit_received(Outbox& outbox, const Sender& sender, const ReceivedImage& received, const tags::Header& header) {
  outbox.emit("image.received", header.series.empty() ? std::nullopt : std::optional(header.series),
              {{"image", received.image},
               {"association", sender.association},
               {"file", received.filed.file},
               {"folder", received.folder},
               {"sop", header.sop_instance},
               {"sop_class", header.sop_class},
               {"study", header.study},
               {"series", header.series},
               {"patient", header.patient_id},
               {"accession", header.accession},
               {"modality", header.modality},
               {"bytes", received.bytes},
               {"transfer_syntax", received.transfer_syntax},
               {"repetition", received.filed.repetition},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet},
               {"called_aet", sender.called_aet},
               {"durable", received.durable}});
}

void emit_truncated(Outbox& outbox, const Sender& sender, const std::string& image, const tags::Header& header, const std::string& shortage) {
  outbox.emit("image.truncated", header.series.empty() ? std::nullopt : std::optional(header.series),
              {{"image", image},
               {"association", sender.association},
               {"sop", header.sop_instance},
               {"reason", shortage},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet}});
}

void emit_refused(Outbox& outbox, const Sender& sender, const std::string& sop_instance, const Answer& answer) {
  outbox.emit("image.refused", std::nullopt,
              {{"association", sender.association},
               {"sop", sop_instance},
               {"status", hexadecimal(answer.status)},
               {"reason", answer.comment},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet}});
}

void emit_quarantined(Outbox& outbox, const Sender& sender, const Unreadable& object) {
  outbox.emit("image.quarantined", std::nullopt,
              {{"image", object.image},
               {"association", sender.association},
               {"entry", object.image},
               {"bytes", object.bytes},
               {"reason", object.reason},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet}});
}

}  // namespace mercure::receive
