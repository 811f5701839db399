// Numbers out of bytes, in either order.
#ifndef MERCURE_TAGS_BYTE_ORDER_H
#define MERCURE_TAGS_BYTE_ORDER_H

#include <cstddef>
#include <cstdint>

namespace mercure::tags {

template <typename Unsigned>
Unsigned number_at(const std::uint8_t* bytes, bool big_endian) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    const std::size_t place = big_endian ? sizeof(Unsigned) - 1 - i : i;
    value = static_cast<Unsigned>(value | static_cast<Unsigned>(static_cast<Unsigned>(bytes[i]) << (8 * place)));
  }
  return value;
}

}  // namespace mercure::tags

#endif
