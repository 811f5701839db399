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

namespace {

// So many versions of other senders are passed over in the search for a sender's own last one.
constexpr unsigned long kLookedBack = 16;

std::string version_name(const std::string& stem, unsigned long number) {
  return stem + (number == 1 ? "" : '~' + std::to_string(number)) + ".dcm";
}

}  // namespace

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

SeriesFolder::Compared SeriesFolder::compare(const std::string& name, Part& part) {
  const Descriptor file(openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return Compared::other_content;
  const receipt::Found known = receipt::read(file.get());
  // From another sender it is another image, which other rules may want. Older releases did not write the sender.
  if (known.state == receipt::State::sound && known.origin != receipt::read(part.descriptor()).origin) {
    return Compared::other_sender;
  }
  const bool is_same = same_image(part.descriptor(), file.get());
  const bool has_our_digest = known.state == receipt::State::sound && known.data_digest == part.data_digest();
  const bool was_same = is_same || (has_our_digest && same_transfer_syntax(part.descriptor(), file.get()));
  if (!was_same) return Compared::other_content;
  if (!is_same || !(has_our_digest || known.state == receipt::State::none)) {
    replace(name, part);
  } else if (durable_) {
    // The association that put it there may be about to sync it, but our Success must not wait for another's.
    durable::sync_data(file.get(), path_ + '/' + name);
  }
  return Compared::same;
}

// Whether the sender's own last version is the same; `name` is then that one's. Older versions do not count: what comes again
// after a correction is the sender's last word. So the work does not grow with the versions that there are.
bool SeriesFolder::is_repetition(const std::string& stem, unsigned long last, Part& part, std::string& name) {
  const unsigned long first = last > kLookedBack ? last - kLookedBack : 0;
  for (unsigned long number = last; number > first; --number) {
    name = version_name(stem, number);
    const Compared compared = compare(name, part);
    if (compared != Compared::other_sender) return compared == Compared::same;
  }
  return false;
}

bool SeriesFolder::is_there(const std::string& name) const {
  return faccessat(directory_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// The number of the last version, where there is one: they are numbered without gaps, so it is found by halving.
unsigned long SeriesFolder::last_version(const std::string& stem) const {
  unsigned long there = 1;
  unsigned long free = 2;
  while (is_there(version_name(stem, free))) {
    there = free;
    free *= 2;
  }
  while (free - there > 1) {
    const unsigned long middle = there + (free - there) / 2;
    (is_there(version_name(stem, middle)) ? there : free) = middle;
  }
  return there;
}

// What lies there was altered after it was received: no target would get it, and here is the image once more.
void SeriesFolder::replace(const std::string& name, Part& part) {
  log::error("the disk had altered an image, and the sender has sent it again", {{"path", path_ + '/' + name}});
  durable::rename(part.path(), path_ + '/' + name);
  part.moved();
}

Filed SeriesFolder::file(Part& part, const std::string& stem) {
  Filed filed;
  unsigned long number = 1;
  while (true) {
    filed.file = version_name(stem, number);
    if (durable::rename_new(part.path(), directory_.get(), filed.file, path_ + '/' + filed.file)) {
      part.moved();
      break;
    }
    // Another association may take a number between the look and the rename; then it is looked at anew.
    number = last_version(stem);
    filed.repetition = is_repetition(stem, number, part, filed.file);
    if (filed.repetition) break;
    ++number;
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
