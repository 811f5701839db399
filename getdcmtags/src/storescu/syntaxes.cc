#include "storescu/syntaxes.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "convert/data_set.h"

namespace mercure::storescu {
namespace {

using Kind = SyntaxPolicy::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 3> kNames{{
    {"as-needed", Kind::as_needed},
    {"as-received", Kind::as_received},
    {"uncompressed", Kind::uncompressed},
}};

// What images can be converted to, the one with more information first.
constexpr std::array<std::string_view, 2> kMade{convert::kExplicitLittle, convert::kImplicitLittle};

bool is_uid(std::string_view text) {
  constexpr std::size_t kLongestUid = 64;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return plain && !text.empty() && text.size() <= kLongestUid;
}

bool can_become(const std::string& own, std::string_view other) {
  return own == other || (convert::Destination::of(other) && convert::Source::of(own));
}

bool is_uncompressed(const std::string& own) {
  const auto native = convert::native_syntax(own);
  return native && !native->deflated;
}

std::vector<std::string> with_made(std::vector<std::string> syntaxes, const std::string& own) {
  for (const auto made : kMade) {
    if (made != own && can_become(own, made)) syntaxes.emplace_back(made);
  }
  return syntaxes;
}

}  // namespace

std::optional<SyntaxPolicy> SyntaxPolicy::parse(std::string_view text) {
  SyntaxPolicy policy;
  policy.unreadable_too = text == "as-it-is";
  if (policy.unreadable_too) text = "as-received";
  for (const auto& [name, kind] : kNames) {
    policy.kind = kind;
    if (text == name) return policy;
  }
  policy.kind = Kind::list;
  while (true) {
    const auto comma = text.find(',');
    const auto uid = text.substr(0, comma);
    if (!is_uid(uid)) return std::nullopt;
    policy.list.emplace_back(uid);
    if (comma == std::string_view::npos) return policy;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string> syntaxes_for(const std::string& own, const SyntaxPolicy& policy) {
  std::vector<std::string> syntaxes;
  switch (policy.kind) {
    case Kind::as_received:
      return {own};
    case Kind::as_needed:
      return with_made({own}, own);
    case Kind::uncompressed:
      if (is_uncompressed(own)) syntaxes.push_back(own);
      return with_made(std::move(syntaxes), own);
    case Kind::list:
      std::copy_if(policy.list.begin(), policy.list.end(), std::back_inserter(syntaxes),
                   [&](const auto& uid) { return can_become(own, uid); });
      return syntaxes;
  }
  return syntaxes;
}

std::vector<std::string> fallbacks_for(const std::string& own, const std::vector<std::string>& syntaxes) {
  const bool are_encoded = std::any_of(syntaxes.begin(), syntaxes.end(), [&](const auto& uid) {
    const auto made = convert::Destination::of(uid);
    return uid != own && made && made->compressed;
  });
  std::vector<std::string> fallbacks;
  if (!are_encoded) return fallbacks;
  for (const auto made : kMade) {
    if (std::find(syntaxes.begin(), syntaxes.end(), made) == syntaxes.end()) fallbacks.emplace_back(made);
  }
  return fallbacks;
}

}  // namespace mercure::storescu
