// Where the reader gets its bytes: forward only, and able to skip without reading.
#ifndef MERCURE_TAGS_BYTE_SOURCE_H
#define MERCURE_TAGS_BYTE_SOURCE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace mercure::tags {

// What may be read before giving up; shared by everything that reads one file.
struct ByteBudget {
  std::uint64_t left;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  static constexpr std::size_t kMostPeeked = 4096;

  // The next bytes without moving past them: `count` (at most kMostPeeked), or fewer where the data end.
  std::span<const std::uint8_t> peek(std::size_t count);

  // Moves past what was peeked at.
  void consume(std::size_t count);

  // Appends `count` bytes to `out` and moves past them. False if the data end before, or on an error.
  bool read(std::size_t count, std::string& out);

  // Moves past `count` bytes. False if the data end before, or on an error.
  bool skip(std::uint64_t count);

  // Whether `count` more bytes can be there. True where only reading can tell.
  virtual bool may_hold(std::uint64_t count) = 0;

  std::uint64_t position() const { return position_; }

  // Why reading stopped, when it was not the end of the data; else empty.
  const std::string& error() const { return error_; }
  bool over_budget() const { return over_budget_; }

 protected:
  ByteSource(ByteBudget& budget, std::size_t buffer_bytes);

  // Puts up to `room.size()` bytes of the data into `room`: how many, 0 at the end or after fail().
  virtual std::size_t fill(std::span<std::uint8_t> room) = 0;

  // Moves past `count` bytes that are not in the buffer.
  virtual bool skip_unbuffered(std::uint64_t count) = 0;

  void fail(std::string why) { error_ = std::move(why); }
  void fail_over_budget(std::string why);

  std::size_t buffered() const { return end_ - begin_; }

 private:
  bool refill(std::size_t wanted);

  ByteBudget& budget_;
  std::size_t room_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t position_ = 0;
  std::string error_;
  bool over_budget_ = false;
};

// A regular file, read through `pread` so that the descriptor may be shared with whoever opened it.
class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, std::uint64_t size, ByteBudget& budget);

  bool may_hold(std::uint64_t count) override;
  std::uint64_t size() const { return size_; }

 private:
  std::size_t fill(std::span<std::uint8_t> room) override;
  bool skip_unbuffered(std::uint64_t count) override;

  int descriptor_;
  std::uint64_t size_;
  std::uint64_t next_ = 0;  // where the next fill begins
};

}  // namespace mercure::tags

#endif
