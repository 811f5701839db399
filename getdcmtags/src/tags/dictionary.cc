#include "tags/dictionary.h"

#include <algorithm>
#include <iterator>

namespace mercure::tags {
namespace {

constexpr PublicEntry kPublic[] = {
#include "tags/public_dictionary.inc"
};

struct PrivateEntry {
  const char* creator;
  std::uint16_t group;
  std::uint8_t element;  // its last two digits: the block is the creator's
  Vr vr;
};

constexpr PrivateEntry kPrivate[] = {
#include "private_dictionary.inc"
};

bool is_repeating(std::uint16_t group) {
  const auto family = static_cast<std::uint16_t>(group & 0xFF00);
  return (family == 0x5000 || family == 0x6000) && (group & 1) == 0;
}

}  // namespace

const PublicEntry* find_public(Tag tag) {
  const auto* found = std::lower_bound(std::begin(kPublic), std::end(kPublic), tag.number(),
                                       [](const PublicEntry& entry, std::uint32_t key) { return entry.tag < key; });
  return found != std::end(kPublic) && found->tag == tag.number() ? found : nullptr;
}

std::optional<Vr> public_vr(Tag tag) {
  if (is_repeating(tag.group)) tag.group = static_cast<std::uint16_t>(tag.group & 0xFF00);
  const auto* entry = find_public(tag);
  return entry ? std::optional(entry->vr) : std::nullopt;
}

std::optional<Vr> private_vr(Tag tag, std::string_view creator) {
  const auto element = static_cast<std::uint8_t>(tag.element & 0xFF);
  const auto before = [&](const PrivateEntry& entry) {
    if (const auto order = std::string_view(entry.creator).compare(creator)) return order < 0;
    return entry.group != tag.group ? entry.group < tag.group : entry.element < element;
  };
  const auto* found = std::partition_point(std::begin(kPrivate), std::end(kPrivate), before);
  if (found == std::end(kPrivate) || found->creator != creator) return std::nullopt;
  return found->group == tag.group && found->element == element ? std::optional(found->vr) : std::nullopt;
}

}  // namespace mercure::tags
