#include "storescu/data_set_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace mercure::storescu {
namespace {

constexpr std::size_t kPiece = 1 << 20;

}  // namespace

DataSetReader::DataSetReader(int file, const Image& image, std::uint64_t end)
    : file_(file), expected_(image.data_digest), begin_(image.data_set_offset), at_(begin_), end_(std::max(begin_, end)) {}

bool DataSetReader::read(char* into, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = pread(file_, into + done, size - done, static_cast<off_t>(at_ + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const std::string place = "at byte " + std::to_string(at_ + done) + " of the file";
      fault_ = got < 0 ? Fault{Cause::local, std::string(std::strerror(errno)) + ' ' + place + ", while it was read"}
                       : Fault{Cause::local, "it became shorter while it was sent: it ends " + place};
      return false;
    }
    done += static_cast<std::size_t>(got);
  }
  if (!expected_.empty()) digest_.add({into, size});
  at_ += size;
  return true;
}

bool DataSetReader::is_as_received() {
  if (expected_.empty() || digest_.hex() == expected_) return true;
  fault_ = {Cause::altered, "the data set is not as it was received (bytes " + std::to_string(begin_) + " to " +
                                std::to_string(end_) + " of the file)"};
  return false;
}

bool DataSetReader::check() {
  std::vector<char> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left())));
  while (left() > 0) {
    if (!read(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left())))) return false;
  }
  return is_as_received();
}

Fault fault_of(int file, const Image& image) {
  struct stat status {};
  if (image.data_digest.empty() || fstat(file, &status) != 0) return {};
  DataSetReader reader(file, image, static_cast<std::uint64_t>(status.st_size));
  return reader.check() ? Fault{} : reader.fault();
}

}  // namespace mercure::storescu
