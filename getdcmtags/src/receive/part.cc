#include "receive/part.h"

#include <utility>
#include <vector>

#include "durable.h"

namespace mercure::receive {

namespace {

constexpr std::size_t kCollectBytes = 256 << 10;  // at most so much waits in memory
constexpr std::size_t kDirectBytes = 64 << 10;    // from this size on, copying costs more than a system call
constexpr std::size_t kCopyBytes = 1 << 20;
constexpr std::uint64_t kWriteBackEvery = 8 << 20;  // of a large object, so that its sync at the end need not wait for all of it

}  // namespace

Part::Part(std::string path, MetaHeader header, std::string& buffer)
    : path_(std::move(path)), file_(durable::create_file(path_)), buffer_(buffer), header_(std::move(header)) {
  encoded_header_ = encode(header_);
  buffer_ = encoded_header_;  // a copy: it keeps the room that it has
  header_size_ = size_ = buffer_.size();
  next_write_back_ = kWriteBackEvery;
}

Part::~Part() { discard(); }

void Part::discard() noexcept {
  buffer_.clear();
  if (path_.empty()) return;
  try {
    durable::unlink(std::exchange(path_, std::string()));
  } catch (const std::exception&) {
    // An unfinished part is never taken for an image, and the folder is cleared later.
  }
}

void Part::add(std::string_view bytes) {
  digest_.add(bytes);
  size_ += bytes.size();
  if (bytes.size() < kDirectBytes) {
    if (buffer_.size() + bytes.size() > kCollectBytes) flush();
    buffer_ += bytes;
    return;
  }
  if (written_ == 0 && buffer_.size() == header_size_) {
    buffer_.clear();
    written_ = header_size_;  // what it says is known at the end, and one call is enough
  }
  flush();
  write(bytes);
  if (size_ >= next_write_back_) {
    start_write_back();
    next_write_back_ = size_ + kWriteBackEvery;
  }
}

void Part::write(std::string_view bytes) {
  durable::write_at(file_.get(), written_, bytes, path_);
  written_ += bytes.size();
}

void Part::flush() {
  if (buffer_.empty()) return;
  write(buffer_);
  buffer_.clear();
}

void Part::finish(const std::string& received) {
  header_.received = received;
  header_.data_digest = digest_.hex();
  receipt::complete(encoded_header_, header_.received, header_.data_digest);
  if (written_ == 0) {
    buffer_.replace(0, header_size_, encoded_header_);
    return flush();
  }
  flush();
  durable::write_at(file_.get(), 0, encoded_header_, path_);
}

void Part::start_write_back() const { durable::start_write_back(file_.get()); }

void Part::correct(SopUids sop) {
  header_.command = std::exchange(header_.sop, std::move(sop));
  const std::string path = path_ + ".new";
  const std::string bytes = encode(header_);
  Descriptor file = durable::create_file(path);
  try {
    durable::write(file.get(), bytes, path);
    std::vector<char> piece(kCopyBytes);
    for (auto at = static_cast<off_t>(header_size_);;) {
      const ssize_t count = pread(file_.get(), piece.data(), piece.size(), at);
      if (count < 0) throw durable::StepError(errno, "read", path_);
      if (count == 0) break;
      durable::write(file.get(), {piece.data(), static_cast<std::size_t>(count)}, path);
      at += count;
    }
    durable::rename(path, path_);
  } catch (const durable::StepError&) {
    ::unlink(path.c_str());
    throw;
  }
  size_ = size_ - header_size_ + bytes.size();
  header_size_ = bytes.size();
  file_ = std::move(file);
}

void Part::sync() { durable::sync_data(file_.get(), path_); }

}  // namespace mercure::receive
