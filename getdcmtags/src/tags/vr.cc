#include "tags/vr.h"

#include <array>
#include <cstddef>

namespace mercure::tags {
namespace {

// In the order of the enumeration.
constexpr std::array<VrTraits, 35> kTraits{{
    // name, kind, width, long length, charset, one value, keep leading spaces
    {"AE", Kind::text, 0, false, false, false, false},
    {"AS", Kind::text, 0, false, false, false, false},
    {"AT", Kind::number, 4, false, false, false, false},
    {"CS", Kind::text, 0, false, false, false, false},
    {"DA", Kind::text, 0, false, false, false, false},
    {"DS", Kind::text, 0, false, false, false, false},
    {"DT", Kind::text, 0, false, false, false, false},
    {"FD", Kind::number, 8, false, false, false, false},
    {"FL", Kind::number, 4, false, false, false, false},
    {"IS", Kind::text, 0, false, false, false, false},
    {"LO", Kind::text, 0, false, true, false, false},
    {"LT", Kind::text, 0, false, true, true, true},
    {"OB", Kind::bulk, 0, true, false, false, false},
    {"OD", Kind::bulk, 0, true, false, false, false},
    {"OF", Kind::bulk, 0, true, false, false, false},
    {"OL", Kind::bulk, 0, true, false, false, false},
    {"OV", Kind::bulk, 0, true, false, false, false},
    {"OW", Kind::bulk, 0, true, false, false, false},
    {"PN", Kind::text, 0, false, true, false, false},
    {"SH", Kind::text, 0, false, true, false, false},
    {"SL", Kind::number, 4, false, false, false, false},
    {"SQ", Kind::sequence, 0, true, false, false, false},
    {"SS", Kind::number, 2, false, false, false, false},
    {"ST", Kind::text, 0, false, true, true, true},
    {"SV", Kind::number, 8, true, false, false, false},
    {"TM", Kind::text, 0, false, false, false, false},
    {"UC", Kind::text, 0, true, true, false, true},
    {"UI", Kind::text, 0, false, false, false, false},
    {"UL", Kind::number, 4, false, false, false, false},
    {"UN", Kind::bulk, 0, true, true, false, false},
    {"UR", Kind::text, 0, true, false, true, false},
    {"US", Kind::number, 2, false, false, false, false},
    {"UT", Kind::text, 0, true, true, true, true},
    {"UV", Kind::number, 8, true, false, false, false},
    {"US", Kind::number, 2, false, false, false, false},
}};

constexpr std::uint8_t kNone = 0xFF;

constexpr std::size_t name_index(char first, char second) {
  return static_cast<std::size_t>(first - 'A') * 26 + static_cast<std::size_t>(second - 'A');
}

// Every element of every image is looked up here.
constexpr auto kByName = [] {
  std::array<std::uint8_t, 26 * 26> places{};
  places.fill(kNone);
  for (std::size_t i = 0; i < static_cast<std::size_t>(Vr::US_OR_SS); ++i) {
    places[name_index(kTraits[i].name[0], kTraits[i].name[1])] = static_cast<std::uint8_t>(i);
  }
  return places;
}();

}  // namespace

const VrTraits& traits(Vr vr) { return kTraits[static_cast<std::size_t>(vr)]; }

std::optional<Vr> vr_from(char first, char second) {
  if (first < 'A' || first > 'Z' || second < 'A' || second > 'Z') return std::nullopt;
  const std::uint8_t place = kByName[name_index(first, second)];
  return place != kNone ? std::optional(static_cast<Vr>(place)) : std::nullopt;
}

}  // namespace mercure::tags
