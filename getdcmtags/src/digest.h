// XXH3-128 of bytes that come piece by piece.
#ifndef MERCURE_DIGEST_H
#define MERCURE_DIGEST_H

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace mercure {

class Digest {
 public:
  static constexpr std::size_t kDigits = 32;

  Digest();

  void add(std::string_view bytes);

  // Of all bytes so far: hexadecimal, in the canonical order (most significant digit first).
  std::string hex() const;

  static std::string of(std::string_view bytes);

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

// XXH3-64 of bytes, in the same form with 16 digits.
std::string short_digest(std::string_view bytes);

}  // namespace mercure

#endif
