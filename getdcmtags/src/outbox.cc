#include "outbox.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <utility>

#include "durable.h"
#include "ids.h"
#include "tags/json_writer.h"

namespace mercure {

namespace {

// A writer goes on to a new file after this much or this long, so that what is recorded already can be removed.
constexpr std::uint64_t kMaxFileBytes = 8ULL << 20;
constexpr auto kMaxFileAge = std::chrono::hours(1);

// So many events wait in memory for a disk that refuses them; beyond, the oldest are given up.
constexpr std::size_t kMaxBacklog = 10'000;

}  // namespace

Outbox::Outbox(std::string directory, std::string service)
    : directory_(std::move(directory)), service_(std::move(service)) {}

void Outbox::emit(const std::string& type, const std::optional<std::string>& series, const Json& details) {
  emit_written(type, series, to_line(details));
}

void Outbox::emit_written(const std::string& type, const std::optional<std::string>& series, std::string_view details) {
  const Instant now = Instant::now();
  tags::JsonWriter event(tags::JsonWriter::Style::compact);
  event.begin_object();
  event.member("id", new_id(now));
  event.member("time", now.text());
  event.member("service", service_);
  event.member("type", type);
  event.key("task");
  event.null();
  event.key("series");
  series ? event.text(*series) : event.null();
  event.key("details");
  event.raw(details);
  event.end_object();
  if (backlog_.size() >= kMaxBacklog) backlog_.pop_front();
  backlog_.push_back(event.take() + '\n');
  try {
    flush();
  } catch (const std::system_error&) {
    // The next event goes to a new file: what was written of this line stays the last of its own, where the reader drops it.
    close();
  }
}

void Outbox::flush() {
  while (!backlog_.empty()) {
    open();
    durable::append(file_.get(), backlog_.front(), path_);
    bytes_ += backlog_.front().size();
    backlog_.pop_front();
  }
}

void Outbox::open() {
  if (file_ && (bytes_ > kMaxFileBytes || Clock::now() - opened_ > kMaxFileAge)) close();
  while (!file_) {
    path_ = directory_ + '/' + service_ + '-' + new_id() + ".jsonl";
    Descriptor file = durable::open_to_append(path_);
    struct stat status {};
    if (flock(file.get(), LOCK_EX) != 0 || fstat(file.get(), &status) != 0) {
      throw durable::StepError(errno, "append", path_);
    }
    // Between creation and lock the bookkeeper may have taken the empty file for a dead writer's, and removed it.
    if (status.st_nlink == 0) continue;
    file_ = std::move(file);
    bytes_ = 0;
    opened_ = Clock::now();
  }
}

void Outbox::close() { file_.reset(); }

void Outbox::leave() {
  file_.reset();
  backlog_.clear();
}

}  // namespace mercure
