#include "ids.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <system_error>

namespace mercure {

namespace {

std::tm broken_down(long long seconds) {
  const auto instant = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&instant, &parts);
  return parts;
}

std::uint32_t random_bits() {
  std::uint32_t bits = 0;
  // Up to 256 bytes come whole and without interruption once the kernel's generator is ready: getrandom(2).
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return bits;
}

}  // namespace

Instant Instant::now() {
  std::timespec reading{};
  std::timespec_get(&reading, TIME_UTC);
  return {reading.tv_sec, static_cast<int>(reading.tv_nsec / 1000)};
}

std::string Instant::text() const {
  const std::tm parts = broken_down(seconds);
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, microseconds);
  return buffer.data();
}

std::string new_id(const Instant& at) {
  const std::tm parts = broken_down(at.seconds);
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d%02d%02dT%02d%02d%02d%06d-%08x", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, at.microseconds,
                random_bits());
  return buffer.data();
}

std::string new_id() { return new_id(Instant::now()); }

}  // namespace mercure
