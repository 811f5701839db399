// A deflated data set (PS3.5 section A.5), inflated as it is read and no further.
#ifndef MERCURE_TAGS_INFLATE_SOURCE_H
#define MERCURE_TAGS_INFLATE_SOURCE_H

#include <zlib.h>

#include "tags/byte_source.h"

namespace mercure::tags {

class InflateSource final : public ByteSource {
 public:
  // `deflated` stands at the first byte of the data set. Memory stays at two small buffers; after `most` inflated
  // bytes reading fails, skipped bytes included, since they cost the same time.
  InflateSource(ByteSource& deflated, std::uint64_t most, ByteBudget& budget);
  ~InflateSource() override;

  bool may_hold(std::uint64_t count) override;

 private:
  std::size_t fill(std::span<std::uint8_t> room) override;
  bool skip_unbuffered(std::uint64_t count) override;
  bool start();

  ByteSource& deflated_;
  std::uint64_t left_;
  z_stream stream_{};
  bool started_ = false;
  bool ended_ = false;
};

}  // namespace mercure::tags

#endif
