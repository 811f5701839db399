// The data set of an image, read once from its beginning to its end and compared with the digest that was taken at receipt.
#ifndef MERCURE_STORESCU_DATA_SET_READER_H
#define MERCURE_STORESCU_DATA_SET_READER_H

#include <cstddef>
#include <cstdint>
#include <string>

#include "digest.h"
#include "storescu/image.h"
#include "storescu/outcome.h"

namespace mercure::storescu {

class DataSetReader {
 public:
  // `end` is the size of the open file.
  DataSetReader(int file, const Image& image, std::uint64_t end);

  std::uint64_t left() const { return end_ - at_; }

  // Reads the next bytes, all `size` of them. False when they cannot be had; then fault() says why.
  bool read(char* into, std::size_t size);

  // After the last byte: whether the data set is what was received. True, too, for an image without a digest.
  bool is_as_received();

  // Reads what is left, for an image that does not go as it is. False as is_as_received() and read().
  bool check();

  // What is wrong with the image on our side.
  const Fault& fault() const { return fault_; }

 private:
  int file_;
  const std::string& expected_;
  std::uint64_t begin_;
  std::uint64_t at_;
  std::uint64_t end_;
  Digest digest_;
  Fault fault_;
};

// Reads the data set of a file for nothing else than to compare it. What makes an image unusable, or a target refuse it, may be
// what happened to it on our disk.
Fault fault_of(int file, const Image& image);

}  // namespace mercure::storescu

#endif
