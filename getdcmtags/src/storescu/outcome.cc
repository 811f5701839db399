#include "storescu/outcome.h"

#include <array>

namespace mercure::storescu {
namespace {

struct Range {
  std::uint16_t first;
  std::uint16_t last;
  Meaning meaning;
};

// The first that fits counts.
constexpr std::array<Range, 16> kStatuses{{
    {0x0000, 0x0000, {Outcome::confirmed, ""}},
    {0x0001, 0x0001, {Outcome::warning, "warning"}},
    {0x0107, 0x0107, {Outcome::warning, "attribute list error"}},
    {0x0111, 0x0111, {Outcome::failed, "duplicate SOP instance"}},
    {0x0116, 0x0116, {Outcome::warning, "attribute value out of range"}},
    {0x0117, 0x0117, {Outcome::failed, "invalid SOP instance"}},
    {0x0122, 0x0122, {Outcome::refused, "SOP class not supported"}},
    {0x0124, 0x0124, {Outcome::refused, "not authorized"}},
    {0xA700, 0xA7FF, {Outcome::refused, "out of resources"}},
    {0xA900, 0xA9FF, {Outcome::failed, "data set does not match SOP class"}},
    {0xB000, 0xB000, {Outcome::warning, "values were changed"}},
    {0xB006, 0xB006, {Outcome::warning, "elements were discarded"}},
    {0xB007, 0xB007, {Outcome::warning, "data set does not match SOP class"}},
    {0xB000, 0xBFFF, {Outcome::warning, "warning"}},
    {0xC000, 0xCFFF, {Outcome::failed, "cannot understand"}},
    {0x0000, 0xFFFF, {Outcome::failed, "failure"}},
}};

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames{"confirmed", "warning", "refused", "failed", "not-sent"};
constexpr std::array<std::string_view, 9> kKindNames{"unreachable", "rejected",  "timeout", "aborted", "local",
                                                     "local",       "violation", "busy",    "tls"};

constexpr std::array<std::string_view, 4> kCauseNames{"", "local", "unsupported", "altered"};

}  // namespace

std::string_view name_of(Outcome outcome) { return kOutcomeNames[static_cast<std::size_t>(outcome)]; }

std::string_view name_of(Kind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::string_view name_of(Cause cause) { return kCauseNames[static_cast<std::size_t>(cause)]; }

Meaning meaning_of(std::uint16_t status) {
  for (const auto& range : kStatuses) {
    if (status >= range.first && status <= range.last) return range.meaning;
  }
  return kStatuses.back().meaning;
}

}  // namespace mercure::storescu
