#include "tags/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mercure::tags {
namespace {

// Most headers are smaller than this; a larger one costs a few more reads, a skipped value at most one.
constexpr std::size_t kFileBuffer = 32 * 1024;

}  // namespace

ByteSource::ByteSource(ByteBudget& budget, std::size_t buffer_bytes)
    : budget_(budget), room_(buffer_bytes), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes)) {}

void ByteSource::fail_over_budget(std::string why) {
  over_budget_ = true;
  fail(std::move(why));
}

std::span<const std::uint8_t> ByteSource::peek(std::size_t count) {
  if (buffered() < count) refill(count);
  return {buffer_.get() + begin_, std::min(count, buffered())};
}

void ByteSource::consume(std::size_t count) {
  begin_ += count;
  position_ += count;
}

bool ByteSource::refill(std::size_t wanted) {
  std::memmove(buffer_.get(), buffer_.get() + begin_, buffered());
  end_ = buffered();
  begin_ = 0;
  while (buffered() < wanted && error_.empty()) {
    const auto room = std::span(buffer_.get(), room_).subspan(end_);
    const std::size_t got = fill(room);
    if (got == 0) break;
    end_ += got;
  }
  return buffered() >= wanted;
}

bool ByteSource::read(std::size_t count, std::string& out) {
  if (count > budget_.left) {
    fail_over_budget("the header is larger than the limit");
    return false;
  }
  budget_.left -= count;
  while (count > 0) {
    if (buffered() == 0 && !refill(1)) return false;
    const std::size_t piece = std::min(count, buffered());
    out.append(reinterpret_cast<const char*>(buffer_.get() + begin_), piece);
    consume(piece);
    count -= piece;
  }
  return true;
}

bool ByteSource::skip(std::uint64_t count) {
  const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(count, buffered()));
  consume(piece);
  if (count == piece) return true;
  if (!skip_unbuffered(count - piece)) return false;
  position_ += count - piece;
  return true;
}

FileSource::FileSource(int descriptor, std::uint64_t size, ByteBudget& budget)
    : ByteSource(budget, kFileBuffer), descriptor_(descriptor), size_(size) {}

bool FileSource::may_hold(std::uint64_t count) { return count <= size_ - std::min(size_, position()); }

std::size_t FileSource::fill(std::span<std::uint8_t> room) {
  ssize_t got;
  do {
    got = pread(descriptor_, room.data(), room.size(), static_cast<off_t>(next_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    fail(std::string("cannot be read: ") + std::strerror(errno));
    return 0;
  }
  next_ += static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

bool FileSource::skip_unbuffered(std::uint64_t count) {
  if (count > size_ - std::min(size_, next_)) return false;
  next_ += count;
  return true;
}

}  // namespace mercure::tags
