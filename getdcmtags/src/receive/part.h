// One object while it arrives: `receiving/<association>/NNNNNN.part`, a complete DICOM file in the making.
#ifndef MERCURE_RECEIVE_PART_H
#define MERCURE_RECEIVE_PART_H

#include <cstdint>
#include <string>
#include <string_view>

#include "descriptor.h"
#include "receive/meta_header.h"

namespace mercure::receive {

// All functions but the destructor and discard() throw durable::StepError.
class Part {
 public:
  // Makes the file and puts the meta header into it. `buffer` is lent for the life of the part, so that an association
  // allocates it once.
  Part(std::string path, const MetaHeader& header, std::string& buffer);

  // A part that was not moved away is removed.
  ~Part();
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  // Adds bytes of the data set. Small pieces are collected, large ones go to the file at once.
  void add(std::string_view bytes);

  // Writes what is collected.
  void finish() { flush(); }

  // Has the kernel begin to bring it to the disk.
  void start_write_back() const;

  // Puts another meta header before the same data set (the sender's command said other UIDs than its data set).
  void replace_header(const MetaHeader& header);

  void sync();

  // The file has got its name in the spool: the destructor leaves it alone.
  void moved() { path_.clear(); }

  // Removes the file now. A failure is of no matter: the folder is cleared when its association is over.
  void discard() noexcept;

  int descriptor() const { return file_.get(); }
  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // bytes of the file
  std::uint64_t data_set_size() const { return size_ - header_size_; }

 private:
  void flush();

  std::string path_;
  Descriptor file_;
  std::string& buffer_;
  std::uint64_t header_size_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t next_write_back_ = 0;
};

}  // namespace mercure::receive

#endif
