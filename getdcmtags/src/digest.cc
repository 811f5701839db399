#include "digest.h"

#ifdef MERCURE_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>  // in place of the functions of xxhash.h, those for the processor at hand
#else
#include <xxhash.h>
#endif

#include <new>

namespace mercure {

namespace {

template <typename Canonical>
std::string hexadecimal(const Canonical& canonical) {
  static constexpr char kHexadecimal[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += kHexadecimal[byte >> 4];
    text += kHexadecimal[byte & 0x0f];
  }
  return text;
}

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return hexadecimal(canonical);
}

}  // namespace

void Digest::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Digest::Digest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void Digest::add(std::string_view bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }

std::string Digest::hex() const { return hex_of(XXH3_128bits_digest(state_.get())); }

std::string Digest::of(std::string_view bytes) { return hex_of(XXH3_128bits(bytes.data(), bytes.size())); }

std::string short_digest(std::string_view bytes) {
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, XXH3_64bits(bytes.data(), bytes.size()));
  return hexadecimal(canonical);
}

}  // namespace mercure
