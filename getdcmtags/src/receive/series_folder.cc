#include "receive/series_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "durable.h"
#include "receipt.h"
#include "receive/log.h"
#include "receive/same_image.h"

namespace mercure::receive {

SeriesFolder::SeriesFolder(std::string incoming, std::string name, bool durable)
    : incoming_(std::move(incoming)), name_(std::move(name)), path_(incoming_ + '/' + name_), durable_(durable) {}

// Whether the path still leads to the directory that we hold: the router renames it when it takes it.
bool SeriesFolder::is_in_place() const {
  struct stat held {};
  struct stat there {};
  return fstat(directory_.get(), &held) == 0 && lstat(path_.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

void SeriesFolder::open() {
  tags_.reset();
  durable::make_directory(path_);
  directory_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory_ && errno != ENOENT) throw durable::StepError(errno, "mkdir", path_);
  // Also when another association made it: that one may not have come to its own sync yet, and we are going to say Success.
  if (directory_ && durable_) durable::sync_directory(incoming_);
}

SeriesFolder::Lock::Lock(SeriesFolder& folder) : folder_(folder) {
  while (true) {
    if (!folder_.directory_) folder_.open();
    if (!folder_.directory_) continue;  // taken between mkdir and open
    while (flock(folder_.directory_.get(), LOCK_SH) != 0) {
      if (errno != EINTR) throw durable::StepError(errno, "flock", folder_.path_);
    }
    if (folder_.is_in_place()) return;
    folder_.directory_.reset();
  }
}

SeriesFolder::Lock::~Lock() { flock(folder_.directory_.get(), LOCK_UN); }

bool SeriesFolder::holds_same(const std::string& name, Part& part) {
  const Descriptor file(openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return false;
  const receipt::Found known = receipt::read(file.get());
  // From another sender it is another image, which other rules may want; an older release did not write who sent it.
  if (known.state == receipt::State::sound && known.origin != receipt::read(part.descriptor()).origin) return false;
  const bool is_same = same_image(part.descriptor(), file.get());
  const bool has_our_digest = known.state == receipt::State::sound && known.data_digest == part.data_digest();
  const bool was_same = is_same || (has_our_digest && same_transfer_syntax(part.descriptor(), file.get()));
  if (!was_same) return false;
  if (!is_same || !(has_our_digest || known.state == receipt::State::none)) return replace(name, part);
  // The association that put it there may be about to sync it, but our Success must not wait for another's.
  if (durable_) durable::sync_data(file.get(), path_ + '/' + name);
  return true;
}

// What lies there was altered after it was received: no target would get it, and here is the image once more.
bool SeriesFolder::replace(const std::string& name, Part& part) {
  log::error("the disk had altered an image, and the sender has sent it again", {{"path", path_ + '/' + name}});
  durable::rename(part.path(), path_ + '/' + name);
  part.moved();
  return true;
}

Filed SeriesFolder::file(Part& part, const std::string& stem) {
  Filed filed;
  for (unsigned long number = 1;; ++number) {
    filed.file = stem + (number == 1 ? "" : '~' + std::to_string(number)) + ".dcm";
    if (durable::rename_new(part.path(), directory_.get(), filed.file, path_ + '/' + filed.file)) {
      part.moved();
      break;
    }
    filed.repetition = holds_same(filed.file, part);
    if (filed.repetition) break;
  }
  if (durable_) durable::sync_directory(directory_.get(), path_);
  return filed;
}

void SeriesFolder::add_tag_line(const std::string& association, std::string_view line) {
  if (!tags_) {
    tags_path_ = path_ + '/' + association + ".jsonl";
    tags_ = durable::open_to_append(tags_path_);
  }
  durable::append(tags_.get(), line, tags_path_);
}

}  // namespace mercure::receive
