#include "receive/image_events.h"

#include <array>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "tags/json_writer.h"
#include "tags/transcoder.h"

namespace mercure::receive {

namespace {

std::string hexadecimal(std::uint16_t status) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%04X", static_cast<unsigned>(status));
  return text.data();
}

}  // namespace

void emit_received(Outbox& outbox, const Sender& sender, const ReceivedImage& received, const tags::Header& header) {
  tags::JsonWriter details(tags::JsonWriter::Style::compact);
  details.begin_object();
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"image", received.image},
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
           {"transfer_syntax", received.transfer_syntax},
           {"address", sender.address},
           {"calling_aet", sender.calling_aet},
           {"called_aet", sender.called_aet}}) {
    details.member(name, tags::utf8(value));
  }
  details.key("bytes");
  details.integer(static_cast<std::int64_t>(received.bytes));
  details.key("repetition");
  details.boolean(received.filed.repetition);
  details.key("durable");
  details.boolean(received.durable);
  details.end_object();
  outbox.emit_written("image.received", header.series.empty() ? std::nullopt : std::optional(header.series), details.take());
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

void emit_quota(Outbox& outbox, const Sender& sender, const QuotaWarning& warning) {
  outbox.emit("sender.quota", std::nullopt,
              {{"association", sender.association},
               {"sender", sender.name},
               {"quota", warning.quota},
               {"limit", warning.limit},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet}});
}

void emit_quarantined(Outbox& outbox, const Sender& sender, const Unreadable& object, const Quarantined& kept) {
  outbox.emit("image.quarantined", std::nullopt,
              {{"image", object.image},
               {"association", sender.association},
               {"entry", kept.entry},
               {"repetition", kept.repetition},
               {"bytes", object.bytes},
               {"reason", object.reason},
               {"address", sender.address},
               {"calling_aet", sender.calling_aet}});
}

}  // namespace mercure::receive
