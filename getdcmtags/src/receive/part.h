// One object while it arrives: `receiving/<association>/NNNNNN.part`, a complete DICOM file in the making.
#ifndef MERCURE_RECEIVE_PART_H
#define MERCURE_RECEIVE_PART_H

#include <cstdint>
#include <string>
#include <string_view>

#include "descriptor.h"
#include "digest.h"
#include "receive/meta_header.h"

namespace mercure::receive {

// All functions but the destructor and discard() throw durable::StepError.
class Part {
 public:
  // Makes the file. The meta header goes into it with the first bytes, or last of all. `buffer` is lent for the life of the part, so that an association
  // allocates it once.
  Part(std::string path, MetaHeader header, std::string& buffer);

  // A part that was not moved away is removed.
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  // Adds bytes of the data set. Small pieces are collected, large ones go to the file at once. The digest is taken of these very
  // bytes: what the page cache and the disk make of them is what it finds out.
  void add(std::string_view bytes);

  // Ends the data set: fills digest and time of receipt into the header, and writes what is still in memory.
  void finish(const std::string& received);

  // Has the kernel begin to bring it to the disk.
  void start_write_back() const;

  // Puts a meta header with these UIDs before the same data set; those that it had were only the sender's command's.
  void correct(SopUids sop);

  void sync();

  // The file has got its name in the spool: the destructor leaves it alone.
  void moved() { path_.clear(); }

  // Removes the file now. A failure is of no matter: the folder is cleared when its association is over.
  void discard() noexcept;

  // Of the data set, after finish().
  const std::string& data_digest() const { return header_.data_digest; }

  int descriptor() const { return file_.get(); }
  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // bytes of the file
  std::uint64_t data_set_size() const { return size_ - header_size_; }

 private:
  void write(std::string_view bytes);
  void flush();

  std::string path_;
  Descriptor file_;
  std::string& buffer_;
  MetaHeader header_;
  Digest digest_;
  std::string encoded_header_;
  std::uint64_t header_size_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t written_ = 0;  // where the next bytes go
  std::uint64_t next_write_back_ = 0;
};

}  // namespace mercure::receive

#endif
