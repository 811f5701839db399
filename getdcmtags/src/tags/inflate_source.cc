#include "tags/inflate_source.h"

#include <algorithm>
#include <array>
#include <limits>

namespace mercure::tags {
namespace {

constexpr std::size_t kBuffer = 16 * 1024;
constexpr std::size_t kInput = ByteSource::kMostPeeked;

// The standard asks for a bare deflate stream (RFC 1951); some writers put the zlib header (RFC 1950) before it.
int window_bits(std::span<const std::uint8_t> start) {
  const bool zlib = start.size() >= 2 && (start[0] & 0x0F) == 8 && (start[0] * 256 + start[1]) % 31 == 0;
  return zlib ? MAX_WBITS : -MAX_WBITS;
}

}  // namespace

InflateSource::InflateSource(ByteSource& deflated, std::uint64_t most, ByteBudget& budget)
    : ByteSource(budget, kBuffer), deflated_(deflated), left_(most) {}

InflateSource::~InflateSource() {
  if (started_) inflateEnd(&stream_);
}

bool InflateSource::may_hold(std::uint64_t) { return true; }

bool InflateSource::start() {
  if (started_) return true;
  started_ = inflateInit2(&stream_, window_bits(deflated_.peek(2))) == Z_OK;
  if (!started_) fail("not enough memory to inflate the data set");
  return started_;
}

std::size_t InflateSource::fill(std::span<std::uint8_t> room) {
  if (ended_ || !start()) return 0;
  if (left_ == 0) {
    fail_over_budget("the deflated data set grows beyond the limit");
    return 0;
  }
  const auto most = std::min<std::uint64_t>({room.size(), left_, std::numeric_limits<uInt>::max()});
  stream_.next_out = room.data();
  stream_.avail_out = static_cast<uInt>(most);
  while (stream_.avail_out == most) {
    const auto input = deflated_.peek(kInput);
    stream_.next_in = const_cast<Bytef*>(input.data());
    stream_.avail_in = static_cast<uInt>(input.size());
    const int state = inflate(&stream_, Z_NO_FLUSH);
    deflated_.consume(input.size() - stream_.avail_in);
    ended_ = state == Z_STREAM_END;
    // Without input there can still be output that zlib holds back; without both the file ends too early.
    if (ended_ || (state == Z_BUF_ERROR && input.empty())) break;
    if (state != Z_OK) {
      fail("the deflated data set is damaged");
      return 0;
    }
  }
  const auto made = static_cast<std::size_t>(most - stream_.avail_out);
  left_ -= made;
  return made;
}

bool InflateSource::skip_unbuffered(std::uint64_t count) {
  std::array<std::uint8_t, kBuffer> unwanted;
  while (count > 0) {
    const auto piece = std::min<std::uint64_t>(count, unwanted.size());
    const std::size_t got = fill(std::span(unwanted).first(static_cast<std::size_t>(piece)));
    if (got == 0) return false;
    count -= got;
  }
  return true;
}

}  // namespace mercure::tags
