#include "receive/store.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include "durable.h"
#include "json.h"
#include "names.h"
#include "receive/free_space.h"
#include "receive/image_events.h"
#include "receive/log.h"
#include "receive/quarantine.h"

namespace mercure::receive {

namespace {

using Phase = Progress::Phase;

// Large objects are checked against the free-space floor each time that so much more of them has come.
constexpr std::uint64_t kLookAtDiskEvery = 64 << 20;

Answer answer_to(const durable::StepError& error) {
  const std::string what = std::strerror(error.code().value());
  if (error.out_of_space()) return {status::kOutOfResources, "Out of space: " + what};
  return {status::kProcessingFailure, "Cannot store: " + what};
}

std::string part_name(unsigned long number) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "%06lu.part", number);
  return name.data();
}

// Adds a member to a JSON object that has some already.
void add_member(std::string& object, const std::string& key, const std::string& value) {
  object.pop_back();
  object += "," + to_line(Json(key)) + ":" + to_line(Json(value)) + "}";
}

Json log_fields(const Sender& sender, const std::string& sop_instance, const std::string& reason) {
  return {{"association", sender.association},
          {"address", sender.address},
          {"calling_aet", sender.calling_aet},
          {"sop", sop_instance},
          {"reason", reason}};
}

}  // namespace

Store::Store(const Config& config, const Layout& layout, const Sender& sender, Progress& progress, Outbox& outbox,
             const WakeUp& server)
    : config_(config), layout_(layout), sender_(sender), progress_(progress), outbox_(outbox), server_(server) {}

Messages::Event Store::receive(const Command& request, std::uint8_t context, const std::string& transfer_syntax,
                               Messages& messages) {
  Object object{request, transfer_syntax, new_id(), 0, 0, std::nullopt, std::nullopt, false};
  progress_.image.set(object.image);
  progress_.part.set(part_name(++count_));
  progress_.sop_class.set(request.sop_class);
  progress_.sop_instance.set(request.sop_instance);
  progress_.transfer_syntax.set(transfer_syntax);
  progress_.phase = Phase::receiving;

  start(object);
  const Messages::Event event = take_data_set(object, context, messages);
  if (event != Messages::Event::fragment) {
    object.part.reset();
    progress_.phase = Phase::waiting;
    return event;
  }
  const Answer answer = finish(object);
  object.part.reset();
  progress_.phase = Phase::waiting;
  return messages.send(context, response_to(request, answer.status, answer.comment));
}

Messages::Event Store::take_data_set(Object& object, std::uint8_t context, Messages& messages) {
  if (!object.request.has_data_set) {
    object.refusal = Answer{status::kCannotUnderstand, "Cannot understand: no data set came with the command"};
    return Messages::Event::fragment;
  }
  Fragment fragment;
  do {
    if (object.refusal) return messages.skip_data_set(context, config_.max_object_bytes);
    if (const auto event = messages.next_of_data_set(context, fragment); event != Messages::Event::fragment) return event;
    add(object, fragment);
  } while (!fragment.is_last);
  return Messages::Event::fragment;
}

void Store::start(Object& object) {
  look_at_disk(object);
  if (object.refusal) return;
  const std::string path = layout_.receiving + '/' + sender_.association + '/' + part_name(count_);
  const Command& request = object.request;
  try {
    object.part.emplace(path,
                        MetaHeader{.sop = {request.sop_class, request.sop_instance},
                                   .transfer_syntax = object.transfer_syntax,
                                   .sender = sender_,
                                   .image = object.image,
                                   .received = Instant::now().text(),
                                   .command = std::nullopt},
                        buffer_);
  } catch (const durable::StepError& error) {
    object.refusal = answer_to(error);
  }
}

void Store::look_at_disk(Object& object) {
  object.next_look = object.received + kLookAtDiskEvery;
  const auto space = FreeSpace::of(layout_.incoming);
  const std::string shortage = space ? space->shortage(config_.min_free_bytes) : std::string();
  if (shortage.empty()) return;
  object.refusal = Answer{status::kOutOfResources, shortage};
  server_.signal();
}

void Store::add(Object& object, const Fragment& fragment) {
  object.received += fragment.bytes.size();
  if (object.received > config_.max_object_bytes) {
    object.refusal = Answer{status::kOutOfResources,
                            "Too large: more than " + std::to_string(config_.max_object_bytes) + " bytes"};
  } else if (object.received >= object.next_look) {
    look_at_disk(object);
  }
  try {
    if (!object.refusal) object.part->add(fragment.bytes);
  } catch (const durable::StepError& error) {
    object.refusal = answer_to(error);
  }
  if (object.refusal) object.part.reset();
}

Answer Store::finish(Object& object) {
  Answer answer;
  try {
    answer = object.refusal ? *object.refusal : keep(object);
  } catch (const durable::StepError& error) {
    // Also when the image has its name already and only the sync of the folder failed: it stays, because another association may
    // have acknowledged the same image by now; the sender sends it again, and it is a repetition.
    answer = answer_to(error);
    log::error("an image could not be stored", log_fields(sender_, object.request.sop_instance, error.what()));
  } catch (const std::exception& error) {
    answer = {status::kProcessingFailure, std::string("Cannot store: ") + error.what()};
    log::error("an image could not be stored", log_fields(sender_, object.request.sop_instance, error.what()));
  }
  if (!answer.is_kept()) refused(object, answer);
  return answer;
}

Answer Store::keep(Object& object) {
  const Instant at = Instant::now();
  object.part->finish(at.text());
  if (config_.durable) object.part->start_write_back();
  progress_.phase = Phase::reading;
  if (object.received == 0) return quarantine(object, "the data set is empty");
  tags::Result record = read_header(object, at);
  if (!record.ok) return quarantine(object, record.reason);
  progress_.phase = Phase::filing;
  correct_header(object, record.header);
  if (object.is_corrected) record = read_header(object, at);
  // The header was read first: meanwhile the disk has been at work.
  if (config_.durable) object.part->sync();
  file(object, record);
  if (!object.is_corrected) return {};
  return {status::kDataSetDoesNotMatch, "Stored by the UIDs of the data set; those of the command differ"};
}

tags::Result Store::read_header(const Object& object, const Instant& at) const {
  const std::string digest = std::string(receipt::kDigestPrefix) + object.part->data_digest();
  tags::Result record =
      tags::read_descriptor(object.part->descriptor(), {{"FileSize", static_cast<std::int64_t>(object.part->size())},
                                                        {"ImageID", object.image},
                                                        {"ReceivedAt", at.text()},
                                                        {"SenderAddress", sender_.address},
                                                        {"SenderAET", sender_.calling_aet},
                                                        {"ReceiverAET", sender_.called_aet},
                                                        {"AssociationID", sender_.association},
                                                        {"DataSetDigest", digest}});
  // A UID that the meta header cannot hold still names the image where the data set has none.
  if (record.header.sop_class.empty()) record.header.sop_class = object.request.sop_class;
  if (record.header.sop_instance.empty()) record.header.sop_instance = object.request.sop_instance;
  return record;
}

void Store::correct_header(Object& object, const tags::Header& header) {
  const Command& request = object.request;
  if (header.sop_class == request.sop_class && header.sop_instance == request.sop_instance) return;
  object.part->correct({header.sop_class, header.sop_instance});
  object.is_corrected = true;
}

SeriesFolder& Store::folder_of(const tags::Header& header) {
  const std::string name = header.series.empty() ? "none-" + sender_.association : safe_name(header.series);
  if (!series_ || series_->name() != name) series_.emplace(layout_.incoming, name, config_.durable);
  return *series_;
}

void Store::file(Object& object, const tags::Result& record) {
  const tags::Header& header = record.header;
  const std::string stem = header.sop_instance.empty() ? "none-" + object.image : safe_name(header.sop_instance);
  const std::uint64_t bytes = object.part->size();
  SeriesFolder& folder = folder_of(header);
  const SeriesFolder::Lock lock(folder);
  const Filed filed = folder.file(*object.part, stem);
  add_tag_line(object, folder, record.json, filed.file);
  ++progress_.images;
  progress_.bytes += bytes;
  tell_received(outbox_, sender_, {object.image, folder.name(), filed, bytes, object.transfer_syntax, config_.durable}, header);
}

void Store::add_tag_line(const Object& object, SeriesFolder& folder, const std::string& record, const std::string& name) const {
  std::string line = record;
  add_member(line, "FileName", name);
  if (object.is_corrected) {
    add_member(line, "AffectedSOPClassUID", object.request.sop_class);
    add_member(line, "AffectedSOPInstanceUID", object.request.sop_instance);
  }
  try {
    folder.add_tag_line(sender_.association, line + '\n');
  } catch (const durable::StepError& error) {
    // The image is safe, and its line can be made again from it: no reason to refuse.
    log::warning("a tag line could not be written; the router makes it again",
                 log_fields(sender_, object.request.sop_instance, error.what()));
  }
}

Answer Store::quarantine(Object& object, const std::string& reason) {
  const Unreadable unreadable{object.image, reason, object.part->size(), object.request.sop_class,
                              object.request.sop_instance, object.transfer_syntax};
  const Answer answer{status::kCannotUnderstand, "Cannot understand: " + reason};
  try {
    quarantine_part(layout_.quarantine, object.part->path(), unreadable, sender_);
  } catch (const durable::StepError& error) {
    log::error("an unreadable object could not be kept in quarantine",
               log_fields(sender_, object.request.sop_instance, error.what()));
    return answer;
  }
  object.part->moved();
  ++progress_.quarantined;
  tell_quarantined(outbox_, sender_, unreadable);
  return answer;
}

void Store::refused(const Object& object, const Answer& answer) {
  ++progress_.refused;
  log::warning("an object was refused", log_fields(sender_, object.request.sop_instance, answer.comment));
  tell_refused(outbox_, sender_, object.request.sop_instance, answer);
}

}  // namespace mercure::receive
