#include "durable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "steps.h"

namespace mercure::durable {

namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

void step(std::string_view operation, std::string_view path) {
  if (const int error = steps::take(operation, path); error != 0) throw StepError(error, operation, path);
}

[[noreturn]] void fail(std::string_view operation, std::string_view path) { throw StepError(errno, operation, path); }

// Calls `write(what is left)` until all is written. Returns how much was; less than `bytes` only with an error in errno.
template <typename Write>
std::size_t write_most(std::string_view bytes, const Write& write) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = write(bytes.substr(done));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;  // a regular file never says this; without it a broken one would hold us here
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

std::size_t write_most(int file, std::string_view bytes) {
  return write_most(bytes, [file](std::string_view left) { return ::write(file, left.data(), left.size()); });
}

}  // namespace

StepError::StepError(int error, std::string_view operation, std::string_view path)
    : std::system_error(error, std::generic_category(), std::string(operation).append(" ").append(path)) {}

bool StepError::out_of_space() const {
  return code().value() == ENOSPC || code().value() == EDQUOT || code().value() == EFBIG;
}

Descriptor create_file(const std::string& path) {
  step("write", path);
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!file) fail("write", path);
  return file;
}

void write(int file, std::string_view bytes, std::string_view path) {
  step("write", path);
  if (write_most(file, bytes) < bytes.size()) fail("write", path);
}

void write_at(int file, std::size_t place, std::string_view bytes, std::string_view path) {
  step("write", path);
  const std::size_t end = place + bytes.size();
  const auto write = [file, end](std::string_view left) {
    return pwrite(file, left.data(), left.size(), static_cast<off_t>(end - left.size()));
  };
  if (write_most(bytes, write) < bytes.size()) fail("write", path);
}

Descriptor open_to_append(const std::string& path) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!file) fail("append", path);
  return file;
}

void append(int file, std::string_view line, std::string_view path) {
  step("append", path);
  const std::size_t done = write_most(file, line);
  if (done == line.size()) return;
  const int error = errno;
  struct stat status {};
  if (done > 0 && fstat(file, &status) == 0) {
    // Without the cut, the next line would join what is there of this one, and both were lost to the reader.
    [[maybe_unused]] const int cut = ftruncate(file, status.st_size - static_cast<off_t>(done));
  }
  throw StepError(error, "append", path);
}

void start_write_back(int file) {
  [[maybe_unused]] const int result = sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

void sync_data(int file, std::string_view path) {
  step("fdatasync", path);
  if (::fdatasync(file) != 0) fail("fdatasync", path);
}

void sync_file(int file, std::string_view path) {
  step("fsync", path);
  if (::fsync(file) != 0) fail("fsync", path);
}

void sync_directory(int directory, std::string_view path) {
  step("fsyncdir", path);
  if (::fsync(directory) != 0) fail("fsyncdir", path);
  // XFS that has shut itself down (an error of the disk does it) answers the sync of a directory with success, though the names in
  // it are lost. It answers fstat with EIO.
  struct stat ignored {};
  if (fstat(directory, &ignored) != 0) fail("fsyncdir", path);
}

void sync_directory(const std::string& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) fail("fsyncdir", path);
  sync_directory(directory.get(), path);
}

bool rename_new(const std::string& from, int directory, const std::string& name, std::string_view path) {
  step("rename", path);
  if (renameat2(AT_FDCWD, from.c_str(), directory, name.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  fail("rename", path);
}

void rename(const std::string& from, const std::string& to) {
  step("rename", to);
  if (::rename(from.c_str(), to.c_str()) != 0) fail("rename", to);
}

bool make_directory(const std::string& path) {
  step("mkdir", path);
  if (mkdir(path.c_str(), kDirectoryMode) == 0) return true;
  if (errno == EEXIST) return false;
  fail("mkdir", path);
}

void unlink(const std::string& path) {
  step("unlink", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail("unlink", path);
}

void remove_directory(const std::string& path) {
  step("rmdir", path);
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) fail("rmdir", path);
}

}  // namespace mercure::durable
