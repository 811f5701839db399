#include "receive/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <string_view>
#include <utility>

#include "descriptor.h"
#include "digest.h"
#include "durable.h"
#include "json.h"
#include "names.h"
#include "receive/free_space.h"
#include "receive/image_events.h"
#include "receive/log.h"
#include "receive/quarantine.h"
#include "tags/json_writer.h"
#include "tags/transcoder.h"

namespace mercure::receive {

namespace {

using dimse::Command;
using dimse::End;
using dimse::Fragment;
using dimse::Messages;
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

// Reads a part of a file. Throws StepError.
void for_each_piece(int file, std::uint64_t from, std::uint64_t to, const std::function<void(std::string_view)>& take) {
  constexpr std::uint64_t kPiece = 1 << 20;
  std::string piece(static_cast<std::size_t>(std::min(kPiece, to - from)), '\0');
  while (from < to) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), to - from));
    const ssize_t count = pread(file, piece.data(), size, static_cast<off_t>(from));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw durable::StepError(count < 0 ? errno : EIO, "read", "a part");
    take({piece.data(), static_cast<std::size_t>(count)});
    from += static_cast<std::uint64_t>(count);
  }
}

// Ends a tag line with a digest of what is before it, so that mercure/seal.py notices a flipped bit.
std::string sealed(std::string open_object) {
  const std::string digest = short_digest(open_object);
  return std::move(open_object) + ",\"Seal\":\"" + digest + "\"}\n";
}

Json log_fields(const Sender& sender, const std::string& sop_instance, const std::string& reason) {
  return {{"association", sender.association},
          {"address", sender.address},
          {"calling_aet", sender.calling_aet},
          {"sop", sop_instance},
          {"reason", reason}};
}

}  // namespace

namespace {

std::string character_set_for(const Config& config, const Sender& sender) {
  const KnownSender* known = find_sender(config.senders, sender);
  return known != nullptr && !known->character_set.empty() ? known->character_set : config.character_set;
}

}  // namespace

Store::Store(const Config& config, const Layout& layout, const Sender& sender, Progress& progress, Outbox& outbox,
             const WakeUp& server, QuotaUse* quotas, const std::string& folder)
    : config_(config),
      layout_(layout),
      sender_(sender),
      progress_(progress),
      outbox_(outbox),
      server_(server),
      quotas_(quotas),
      folder_(folder.empty() ? sender.association : folder),
      character_set_(character_set_for(config, sender)) {}

End Store::receive(const Command& request, std::uint8_t context, const std::string& transfer_syntax,
                               Messages& messages) {
  Object object{request, transfer_syntax, new_id()};
  progress_.image.set(object.image);
  progress_.sop_class.set(request.sop_class);
  progress_.sop_instance.set(request.sop_instance);
  progress_.transfer_syntax.set(transfer_syntax);
  progress_.phase = Phase::receiving;

  start(object);
  const End end = take_data_set(object, context, messages);
  if (end != End::none) {
    object.part.reset();
    progress_.phase = Phase::waiting;
    return end;
  }
  const Answer answer = finish(object);
  object.part.reset();
  progress_.phase = Phase::waiting;
  return messages.send(context, dimse::response_to(request, answer.status, answer.comment));
}

Answer Store::read_again(const Command& request, const std::string& transfer_syntax, const std::string& image, const std::string& received,
                         int file) {
  Object object{request, transfer_syntax, image};
  object.is_read_again = true;
  object.received_at = received;
  const receipt::Found found = receipt::read(file);
  struct stat state {};
  if (found.state != receipt::State::sound || fstat(file, &state) != 0) {
    return {status::kProcessingFailure, "its header is not the one that was written when it came"};
  }
  start(object);
  if (object.refusal) return *object.refusal;
  Digest digest;
  for_each_piece(file, found.header_size, static_cast<std::uint64_t>(state.st_size), [&](std::string_view piece) {
    object.received += piece.size();
    digest.add(piece);
    object.part->add(piece);
  });
  if (digest.hex() != found.data_digest) return {status::kProcessingFailure, "its bytes are not those that came"};
  return keep(object);
}

End Store::take_data_set(Object& object, std::uint8_t context, Messages& messages) {
  if (!object.request.has_data_set) {
    object.refusal = Answer{status::kCannotUnderstand, "Cannot understand: no data set came with the command"};
    return End::none;
  }
  Fragment fragment;
  do {
    if (object.refusal) return messages.skip_data_set(context, config_.max_object_bytes);
    if (const End end = messages.next_of_data_set(context, fragment); end != End::none) return end;
    add(object, fragment);
  } while (!fragment.is_last);
  return End::none;
}

void Store::start(Object& object) {
  if (!object.is_read_again) look_at_quotas(object);
  if (!object.refusal) look_at_disk(object);
  if (object.refusal) return;
  try {
    make_part(object);
  } catch (const durable::StepError& error) {
    object.refusal = answer_to(error);
  }
}

void Store::make_part(Object& object) {
  const std::string name = part_name(++count_);
  progress_.part.set(name);
  const std::string folder = object.is_read_again ? layout_.quarantine + '/' + object.image : layout_.receiving + '/' + folder_;
  object.part.emplace(folder + '/' + name,
                      MetaHeader{.sop = {object.request.sop_class, object.request.sop_instance},
                                 .transfer_syntax = object.transfer_syntax,
                                 .sender = sender_,
                                 .image = object.image,
                                 .received = object.received_at.value_or(Instant::now().text()),
                                 .command = std::nullopt},
                      buffer_);
}

void Store::look_at_quotas(Object& object) {
  if (quotas_ == nullptr) return;
  const auto verdict = quotas_->ask();
  if (!verdict.excess.empty()) object.refusal = Answer{status::kOutOfResources, verdict.excess};
  for (const QuotaWarning& warning : verdict.warnings) emit_quota(outbox_, sender_, warning);
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
  const std::string at = object.received_at.value_or(Instant::now().text());
  object.part->finish(at);
  if (config_.durable) object.part->start_write_back();
  progress_.phase = Phase::reading;
  if (object.received == 0) return quarantine(object, "the data set is empty");
  tags::Result record = read_header(object, at);
  if (!record.ok) return quarantine(object, record.reason);
  if (!record.foreign.empty()) {
    leave_out(object, record.foreign, at);
    record = read_header(object, at);
    if (!record.ok) return quarantine(object, record.reason);
  }
  progress_.phase = Phase::filing;
  correct_header(object, record.header);
  if (object.is_corrected) record = read_header(object, at);
  // The header was read first: meanwhile the disk has been at work.
  if (config_.durable) object.part->sync();
  file(object, record);
  if (!object.is_corrected) return {};
  return {status::kDataSetDoesNotMatch, "Stored by the UIDs of the data set; those of the command differ"};
}

tags::Result Store::read_header(const Object& object, const std::string& at) const {
  const std::string digest = std::string(receipt::kDigestPrefix) + object.part->data_digest();
  std::vector<tags::Extra> extras{{"FileSize", static_cast<std::int64_t>(object.part->size())},
                                  {"ImageID", object.image},
                                  {"ReceivedAt", at},
                                  {"SenderAddress", sender_.address},
                                  {"SenderAET", sender_.calling_aet},
                                  {"ReceiverAET", sender_.called_aet},
                                  {"SenderName", sender_.name},
                                  {"AssociationID", sender_.association},
                                  {"DataSetDigest", digest}};
  if (!sender_.router.empty()) extras.push_back({"SenderRouter", sender_.router});
  if (!sender_.certificate_subject.empty()) extras.push_back({"SenderCertificate", sender_.certificate_subject});
  tags::Result record = tags::read_descriptor(object.part->descriptor(), extras, {}, character_set_);
  // A UID that the meta header cannot hold still names the image where the data set has none.
  if (record.header.sop_class.empty()) record.header.sop_class = object.request.sop_class;
  if (record.header.sop_instance.empty()) record.header.sop_instance = object.request.sop_instance;
  return record;
}

// Writes the object again without elements that belong into no data set (PS3.5 section 7.1). Readers take such elements at the
// beginning of a file for the meta header, and would believe their transfer syntax.
void Store::leave_out(Object& object, const std::vector<tags::Range>& ranges, const std::string& at) {
  const std::uint64_t end = object.part->size();
  const std::uint64_t begin = end - object.part->data_set_size();
  const std::string received = object.part->data_digest();
  const Descriptor file(dup(object.part->descriptor()));
  if (!file) throw durable::StepError(errno, "open", object.part->path());
  make_part(object);
  Digest digest;
  std::uint64_t left_out = 0;
  const auto copy = [&](std::uint64_t from, std::uint64_t to, bool is_kept) {
    for_each_piece(file.get(), from, to, [&](std::string_view piece) {
      digest.add(piece);
      if (is_kept) object.part->add(piece);
    });
    if (!is_kept) left_out += to - from;
  };
  std::uint64_t done = begin;
  for (const tags::Range& range : ranges) {
    copy(done, range.begin, true);
    copy(range.begin, range.end, false);
    done = range.end;
  }
  copy(done, end, true);
  if (digest.hex() != received) throw durable::StepError(EIO, "read", object.part->path());
  object.part->finish(at);
  Json fields = log_fields(sender_, object.request.sop_instance, "groups 0000, 0002, 0004 and 0006 belong into no data set");
  fields["bytes"] = left_out;
  log::warning("a part of a data set was left out", fields);
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
  const Filed filed = object.is_read_again ? file_read_again(object, folder, stem) : folder.file(*object.part, stem);
  add_tag_line(object, folder, record.json, filed.file);
  last_ = Place{folder.name(), filed};
  ++progress_.images;
  progress_.bytes += bytes;
  if (quotas_ != nullptr) quotas_->count(bytes);
  emit_received(outbox_, sender_, {object.image, folder.name(), filed, bytes, object.transfer_syntax, config_.durable}, header);
  // For a repetition, too: where the first one got its name and no more, nobody was told.
  if (!record.shortage.empty()) warn_of_shortage(object, record);
}

Filed Store::file_read_again(Object& object, SeriesFolder& folder, const std::string& stem) const {
  try {
    note_filing(layout_.quarantine + '/' + object.image, {.folder = folder.name(), .file = stem + ".dcm"});
    const Filed filed = folder.file(*object.part, stem);
    object.part->discard();  // of a repetition
    return filed;
  } catch (...) {
    object.part->moved();  // it stays: only what was filed may be missing beside the note
    throw;
  }
}

// It is kept: the sender may have nothing better, and some archives take it. One line of the log for each series that comes like this.
void Store::warn_of_shortage(const Object& object, const tags::Result& record) {
  emit_truncated(outbox_, sender_, object.image, record.header, record.shortage);
  if (last_short_series_ == record.header.series) return;
  last_short_series_ = record.header.series;
  Json fields = log_fields(sender_, record.header.sop_instance, record.shortage);
  fields["series"] = record.header.series;
  log::warning("an image came with pixel data that is not whole, and is kept", fields);
}

void Store::add_tag_line(const Object& object, SeriesFolder& folder, const std::string& record, const std::string& name) const {
  tags::JsonWriter members = tags::JsonWriter::reopen(record);
  members.member("FileName", name);
  if (object.is_corrected) {
    members.member("AffectedSOPClassUID", tags::utf8(object.request.sop_class));
    members.member("AffectedSOPInstanceUID", tags::utf8(object.request.sop_instance));
  }
  try {
    folder.add_tag_line(folder_, sealed(members.take()));
  } catch (const durable::StepError& error) {
    // The image is safe, and its line can be made again from it: no reason to refuse.
    log::warning("a tag line could not be written; the router makes it again",
                 log_fields(sender_, object.request.sop_instance, error.what()));
  }
}

Answer Store::quarantine(Object& object, const std::string& reason) {
  const Unreadable unreadable{object.image, reason, object.part->size(), object.request.sop_class,
                              object.request.sop_instance, object.transfer_syntax};
  Answer answer{status::kCannotUnderstand, "Cannot understand: " + reason};
  if (object.is_read_again) return answer;  // its bytes are there
  Quarantined kept;
  try {
    kept = quarantine_part(layout_, config_.quarantine, object.part->path(), unreadable, sender_);
  } catch (const durable::StepError& error) {
    kept.not_kept = error.what();
  }
  if (kept.entry.empty()) {
    log::error("an unreadable object could not be kept in quarantine",
               log_fields(sender_, object.request.sop_instance, kept.not_kept));
    answer.comment += " (not kept: " + kept.not_kept + ')';
    return answer;
  }
  if (!kept.repetition) object.part->moved();
  ++progress_.quarantined;
  emit_quarantined(outbox_, sender_, unreadable, kept);
  return answer;
}

void Store::refused(const Object& object, const Answer& answer) {
  ++progress_.refused;
  log::warning("an object was refused", log_fields(sender_, object.request.sop_instance, answer.comment));
  emit_refused(outbox_, sender_, object.request.sop_instance, answer);
}

}  // namespace mercure::receive
