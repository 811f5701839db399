#include "receive/quarantine.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "descriptor.h"
#include "digest.h"
#include "durable.h"
#include "ids.h"
#include "json.h"
#include "receipt.h"
#include "receive/free_space.h"
#include "receive/log.h"

namespace mercure::receive {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPartOfDisk = 20;
constexpr char kObject[] = "/object.part";
constexpr char kReason[] = "/reason.json";
constexpr char kAgain[] = "/again.json";
constexpr char kFiling[] = "/filing.json";

// What lies there by now.
struct Load {
  std::uint64_t bytes = 0;
  std::uint64_t objects = 0;
};

Load load_of(const std::string& quarantine) {
  Load load;
  std::error_code error;
  for (fs::directory_iterator entry(quarantine, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) continue;
    struct stat state {};
    ++load.objects;
    if (stat((entry->path().string() + kObject).c_str(), &state) == 0) load.bytes += static_cast<std::uint64_t>(state.st_size);
  }
  return load;
}

// Why an object has no room; empty when it has.
std::string shortage(const std::string& quarantine, const QuarantineLimits& limits, std::uint64_t bytes) {
  const Load load = load_of(quarantine);
  if (load.objects >= limits.objects) return "quarantine full: " + std::to_string(load.objects) + " objects";
  const auto disk = FreeSpace::of(quarantine);
  const std::uint64_t most = disk ? std::min(limits.bytes, disk->total_bytes / kPartOfDisk) : limits.bytes;
  if (load.bytes + bytes <= most) return {};
  return "quarantine full: " + std::to_string(load.bytes) + " of " + std::to_string(most) + " bytes taken, " + std::to_string(bytes) +
         " more came";
}

std::string content_of(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Writes a hint: replaced whole, not synced, and nothing depends on it.
void write_hint(const std::string& path, const std::string& text) {
  const std::string fresh = path + '.' + new_id();
  try {
    const Descriptor file = durable::create_file(fresh);
    durable::write(file.get(), text, fresh);
    durable::rename(fresh, path);
  } catch (const durable::StepError& error) {
    ::unlink(fresh.c_str());
    log::warning("a note on the quarantine could not be written", {{"path", path}, {"reason", error.what()}});
  }
}

// By this the same bytes of the same sender are known: it names a file of `state/quarantine/` that holds the entry's name. Empty where the
// part has no receipt.
std::string key_of(const std::string& part, const Unreadable& object) {
  const Descriptor file(open(part.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return {};
  const receipt::Found found = receipt::read(file.get());
  if (found.state != receipt::State::sound) return {};
  return Digest::of(found.data_digest + '\n' + object.transfer_syntax + '\n' + found.origin);
}

// Counts the object at an entry that holds its bytes. Who has the entry locked is about to do something with it: then it is not counted.
void count_again(const std::string& entry) {
  const Descriptor folder(open(entry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder || flock(folder.get(), LOCK_EX | LOCK_NB) != 0) return;
  const Json before = Json::parse(content_of(entry + kAgain), nullptr, false);
  const bool is_counted = before.is_object() && before.contains("count") && before["count"].is_number_unsigned();
  const std::uint64_t count = is_counted ? before["count"].get<std::uint64_t>() : 0;
  write_hint(entry + kAgain, to_line(Json{{"count", count + 1}, {"last", Instant::now().text()}}) + '\n');
}

// The entry that holds these bytes of this sender already; empty when there is none.
std::string known_entry(const Layout& layout, const std::string& key) {
  const std::string entry = content_of(layout.known_unreadable + '/' + key);
  const bool is_name = !entry.empty() && entry.find_first_not_of("0123456789abcdefT-") == std::string::npos;
  return is_name && access((layout.quarantine + '/' + entry + kObject).c_str(), F_OK) == 0 ? entry : std::string();
}

void remember(const Layout& layout, const std::string& key, const std::string& entry) {
  try {
    durable::make_directory(layout.state);
    durable::make_directory(layout.known_unreadable);
  } catch (const durable::StepError&) {
    return;  // the next one is kept once more
  }
  write_hint(layout.known_unreadable + '/' + key, entry);
}

void write_reason(const std::string& path, const Unreadable& object, const Sender& sender) {
  Json reason = {{"version", 1},
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
                       {"called_aet", sender.called_aet},
                       {"router", sender.router}};
  if (!sender.certificate_subject.empty()) reason["certificate_subject"] = sender.certificate_subject;
  const Descriptor file = durable::create_file(path);
  durable::write(file.get(), to_line(reason) + '\n', path);
  durable::sync_file(file.get(), path);
}

void move_into(const std::string& hidden, const std::string& part, const Unreadable& object, const Sender& sender) {
  try {
    write_reason(hidden + kReason, object, sender);
    durable::rename(part, hidden + kObject);
  } catch (const durable::StepError&) {
    ::unlink((hidden + kReason).c_str());
    ::rmdir(hidden.c_str());
    throw;
  }
}

// The parts of readings that did not come to their end.
std::vector<std::string> parts_in(const std::string& entry) {
  std::vector<std::string> parts;
  for (const fs::directory_entry& found : fs::directory_iterator(entry)) {
    const std::string name = found.path().filename().string();
    if (name != kObject + 1 && (name.ends_with(".part") || name.ends_with(".part.new"))) parts.push_back(found.path().string());
  }
  return parts;
}

std::optional<Filing> read_filing(const std::string& path) {
  const Json note = Json::parse(content_of(path), nullptr, false);
  const auto is_text = [&note](const char* key) { return note.contains(key) && note[key].is_string(); };
  if (!note.is_object() || !is_text("folder") || !is_text("file")) return std::nullopt;
  return Filing{.folder = note["folder"].get<std::string>(), .file = note["file"].get<std::string>()};
}

}  // namespace

void note_filing(const std::string& entry, const Filing& filing) {
  const std::string path = entry + kFiling;
  const std::string fresh = path + '.' + new_id();
  const Descriptor file = durable::create_file(fresh);
  durable::write(file.get(), to_line(Json{{"folder", filing.folder}, {"file", filing.file}}) + '\n', fresh);
  durable::sync_file(file.get(), fresh);
  durable::rename(fresh, path);
  durable::sync_directory(entry);
}

std::optional<Filing> filed_before(const std::string& entry) {
  const std::string path = entry + kFiling;
  const std::vector<std::string> parts = parts_in(entry);
  if (parts.empty()) return read_filing(path);
  // The note first: without a part it would say that the image was filed.
  durable::unlink(path);
  durable::sync_directory(entry);
  for (const std::string& part : parts) durable::unlink(part);
  return std::nullopt;
}

Quarantined quarantine_part(const Layout& layout, const QuarantineLimits& limits, const std::string& part, const Unreadable& object,
                            const Sender& sender) {
  const std::string key = key_of(part, object);
  if (const std::string known = key.empty() ? std::string() : known_entry(layout, key); !known.empty()) {
    count_again(layout.quarantine + '/' + known);
    return {.entry = known, .repetition = true};
  }
  if (const std::string full = shortage(layout.quarantine, limits, object.bytes); !full.empty()) return {.not_kept = full};
  const std::string hidden = layout.quarantine + "/." + new_id();  // not the image's: a process that crashed here left that one
  durable::make_directory(hidden);
  move_into(hidden, part, object, sender);
  durable::sync_directory(hidden);
  durable::rename(hidden, layout.quarantine + '/' + object.image);
  durable::sync_directory(layout.quarantine);
  if (!key.empty()) remember(layout, key, object.image);
  return {.entry = object.image};
}

}  // namespace mercure::receive
