#include "names.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>

namespace mercure {

namespace {

constexpr std::size_t kUidBytes = 64;    // PS3.5 section 9.1
constexpr std::size_t kDigestBytes = 20;  // of the 32 that SHA-256 gives

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_uid(std::string_view text) {
  return text.size() <= kUidBytes && is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char letter) { return is_digit(letter) || letter == '.'; });
}

}  // namespace

std::string safe_name(std::string_view uid) {
  if (uid.empty()) throw std::invalid_argument("an empty UID has no name");
  if (is_uid(uid)) return std::string(uid);

  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(uid.data(), uid.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1 || length < kDigestBytes) {
    throw std::runtime_error("SHA-256 is not available in this OpenSSL");
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string name = "x";
  for (std::size_t index = 0; index < kDigestBytes; ++index) {
    name += kDigits[digest[index] >> 4];
    name += kDigits[digest[index] & 15];
  }
  return name;
}

}  // namespace mercure
