#include "receive/association_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "durable.h"

namespace mercure::receive {

namespace {

namespace fs = std::filesystem;

bool leads_to(const std::string& path, const Descriptor& directory) {
  struct stat held {};
  struct stat there {};
  return fstat(directory.get(), &held) == 0 && lstat(path.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
         held.st_ino == there.st_ino;
}

Descriptor open_directory(const std::string& path) {
  return Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

unsigned remove_folder(const std::string& path) {
  unsigned removed = 0;
  for (const std::string& name : names_in(path)) {
    durable::unlink(path + '/' + name);
    ++removed;
  }
  durable::remove_directory(path);
  return removed;
}

}  // namespace

Descriptor open_association_folder(const std::string& receiving, const std::string& association) {
  const std::string path = receiving + '/' + association;
  while (true) {
    durable::make_directory(path);
    Descriptor folder = open_directory(path);
    if (!folder && errno == ENOENT) continue;
    if (!folder) throw durable::StepError(errno, "mkdir", path);
    while (flock(folder.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw durable::StepError(errno, "flock", path);
    }
    // Between mkdir and lock, another receiver that clears leftovers may have taken it for one.
    if (leads_to(path, folder)) return folder;
  }
}

void remove_association_folder(const std::string& receiving, const std::string& association) noexcept {
  try {
    remove_folder(receiving + '/' + association);
  } catch (const std::exception&) {
    // It is unlocked, so everybody knows that nothing of it counts, and the next start clears it.
  }
}

Leftovers clear_leftovers(const std::string& receiving, const std::function<void(const std::string&, unsigned)>& told) {
  Leftovers leftovers;
  for (const std::string& name : names_in(receiving)) {
    const std::string path = receiving + '/' + name;
    const Descriptor folder = open_directory(path);
    if (!folder) continue;
    if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0 || !leads_to(path, folder)) {
      ++leftovers.alive;
      continue;
    }
    try {
      const unsigned removed = remove_folder(path);
      ++leftovers.cleared;
      told(name, removed);
    } catch (const durable::StepError&) {
      // A disk that refuses removals now is tried again at the next start.
    }
  }
  return leftovers;
}

}  // namespace mercure::receive
