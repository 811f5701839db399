#include "convert/native_syntax.h"

#include <algorithm>
#include <array>

namespace mercure::convert {
namespace {

constexpr std::array<NativeSyntax, 5> kSyntaxes{{
    {kImplicitLittle, {false, false}, false, false},
    {kExplicitLittle, {true, false}, false, false},
    {"1.2.840.10008.1.2.2", {true, true}, false, false},
    {"1.2.840.10008.1.2.1.99", {true, false}, true, false},
    {"1.2.840.113619.5.2", {false, false}, false, true},
}};

}  // namespace

std::optional<NativeSyntax> native_syntax(std::string_view uid) {
  const auto* found = std::find_if(kSyntaxes.begin(), kSyntaxes.end(), [&](const auto& it) { return it.uid == uid; });
  return found != kSyntaxes.end() ? std::optional(*found) : std::nullopt;
}

}  // namespace mercure::convert
