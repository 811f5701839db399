#include "ids.h"

#include <sys/mman.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <new>
#include <string_view>
#include <system_error>

#include "json.h"

namespace mercure {

namespace {

constexpr long long kMicroseconds = 1'000'000;

// The file of the time lived through is written this often: so much later the clock may have been read before a crash.
constexpr double kNoteSeconds = 60;

// The year 9000: beyond, something else than a clock was read.
constexpr double kLatestBelieved = 221'845'392'000;

// The instant of the newest id, in microseconds since 1970. Shared with children, or their ids would overtake each other.
using Newest = std::atomic<long long>;
static_assert(Newest::is_always_lock_free);
Newest g_own{0};
Newest* g_newest = &g_own;

std::tm broken_down(long long seconds) {
  const auto instant = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&instant, &parts);
  return parts;
}

void add_digits(std::string& text, int number, std::size_t digits) {
  const std::size_t end = text.size() + digits;
  text.resize(end);
  for (std::size_t place = 1; place <= digits; ++place, number /= 10) text[end - place] = static_cast<char>('0' + number % 10);
}

// Date and time as ISO 8601 has them, with these separators.
std::string date_and_time(const Instant& instant, std::string_view of_date, std::string_view of_time, std::string_view of_second) {
  const std::tm parts = broken_down(instant.seconds);
  std::string text;
  text.reserve(40);
  add_digits(text, parts.tm_year + 1900, 4);
  add_digits(text.append(of_date), parts.tm_mon + 1, 2);
  add_digits(text.append(of_date), parts.tm_mday, 2);
  add_digits(text.append("T"), parts.tm_hour, 2);
  add_digits(text.append(of_time), parts.tm_min, 2);
  add_digits(text.append(of_time), parts.tm_sec, 2);
  add_digits(text.append(of_second), instant.microseconds, 6);
  return text;
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

namespace {

long long wall_clock() {
  const Instant now = Instant::now();
  return now.seconds * kMicroseconds + now.microseconds;
}

}  // namespace

std::string Instant::text() const { return date_and_time(*this, "-", ":", ".") + 'Z'; }

std::string new_id(const Instant& at) {
  static constexpr char kHexadecimal[] = "0123456789abcdef";
  std::string id = date_and_time(at, "", "", "") + '-';
  const std::uint32_t bits = random_bits();
  for (int shift = 28; shift >= 0; shift -= 4) id += kHexadecimal[bits >> shift & 0xf];
  return id;
}

bool believed(long long instant) { return instant > 0 && static_cast<double>(instant) < kLatestBelieved * kMicroseconds; }

long long newest_id() { return g_newest->load(); }

std::string new_id() {
  const long long wall = wall_clock();
  long long newest = g_newest->load();
  long long given = 0;
  do {
    given = std::max(wall, newest + 1);
  } while (!g_newest->compare_exchange_weak(newest, given));
  return new_id(Instant{given / kMicroseconds, static_cast<int>(given % kMicroseconds)});
}

void order_ids(double shown) {
  if (g_newest == &g_own) {
    void* page = mmap(nullptr, sizeof(Newest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    g_newest = new (page) Newest(g_own.load());
  }
  const Instant now = Instant::now();
  if (static_cast<double>(now.seconds) >= shown) return;
  g_newest->store(std::max(g_newest->load(), static_cast<long long>((shown + kNoteSeconds) * kMicroseconds)));
}

void go_on_after(long long instant) { g_newest->store(std::max(g_newest->load(), instant)); }

double latest_shown(const std::string& spool) {
  std::ifstream file(spool + "/state/clock/uptime.json", std::ios::binary);
  const Json read = Json::parse(file, nullptr, false);
  const auto stretches = read.is_object() ? read.find("stretches") : read.end();
  double latest = 0;
  if (stretches == read.end() || !stretches->is_array()) return latest;
  for (const Json& stretch : *stretches) {
    const auto shown = stretch.is_object() ? stretch.find("wall_to") : stretch.end();
    if (shown != stretch.end() && shown->is_number()) latest = std::max(latest, shown->get<double>());
  }
  return latest < kLatestBelieved ? latest : 0;
}

}  // namespace mercure
