#include "uids.h"

#include <algorithm>
#include <iterator>

namespace mercure {
namespace {

struct Named {
  std::string_view uid;
  std::string_view name;
};

constexpr Named kNames[] = {
#include "uid_names.inc"
};

}  // namespace

std::string uid_name(std::string_view uid) {
  const auto* found = std::lower_bound(std::begin(kNames), std::end(kNames), uid,
                                       [](const Named& row, std::string_view wanted) { return row.uid < wanted; });
  return std::string(found != std::end(kNames) && found->uid == uid ? found->name : uid);
}

}  // namespace mercure
