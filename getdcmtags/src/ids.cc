#include "ids.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <system_error>

namespace mercure {

namespace {

constexpr long long kMicroseconds = 1'000'000;

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

// The seconds by which the tests put the wall clock wrong; 0 where nothing does. Read anew each time, so that a running
// receiver meets a step. A file that is missing means 0; of one that is no number, the last that was one holds.
double wall_offset() {
  static double last = 0;
  const char* path = std::getenv("MERCURE_CLOCK_OFFSET");
  if (path == nullptr || *path == '\0') return 0;
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return last = 0;
  std::array<char, 65> text{};
  const std::size_t size = std::fread(text.data(), 1, text.size() - 1, file);
  std::fclose(file);
  char* end = nullptr;
  const double found = std::strtod(text.data(), &end);
  if (size > 0 && end != text.data()) last = found;
  return last;
}

}  // namespace

Instant Instant::now() {
  std::timespec reading{};
  std::timespec_get(&reading, TIME_UTC);
  const Instant real{reading.tv_sec, static_cast<int>(reading.tv_nsec / 1000)};
  const auto offset = static_cast<long long>(wall_offset() * kMicroseconds);
  if (offset == 0) return real;
  const long long moved = real.seconds * kMicroseconds + real.microseconds + offset;
  return {moved / kMicroseconds, static_cast<int>(moved % kMicroseconds)};
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
