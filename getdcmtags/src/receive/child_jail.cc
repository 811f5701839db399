#include "receive/child_jail.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>
#include <vector>

#include "receive/log.h"

namespace mercure::receive {

namespace {

using jail::Access;
using jail::Place;

constexpr mode_t kFolderMode = 0750;

std::vector<Place> places_of(const Layout& layout, std::vector<Place> receiving) {
  std::vector<Place> places = std::move(receiving);
  places.insert(places.end(), {{layout.incoming, Access::work},
                               {layout.quarantine, Access::work},
                               {layout.known_unreadable, Access::work},
                               {layout.outbox, Access::append},
                               {"/usr/lib", Access::read}});  // the C library's converters of character sets
  // By it the tests put the clock wrong (ids.cc).
  const char* offset = std::getenv("MERCURE_CLOCK_OFFSET");
  if (offset != nullptr && *offset != '\0') places.push_back({std::filesystem::path(offset).parent_path().string(), Access::read});
  return places;
}

void insist(const std::string& problem) {
  if (!problem.empty()) throw std::runtime_error("an association cannot be shut in: " + problem);
}

}  // namespace

ChildJail::ChildJail(const Layout& layout) : layout_(layout), calls_(jail::CallFilter::Role::receiver) {
  // A process that is shut in cannot make them. Only hints are there, so it is no durable step.
  ::mkdir(layout.state.c_str(), kFolderMode);
  ::mkdir(layout.known_unreadable.c_str(), kFolderMode);
  for (const std::string& part : jail::lacking()) {
    log::warning("associations are not wholly shut in: the kernel lacks a part for it", {{"part", part}});
  }
}

void ChildJail::enter() const {
  insist(jail::limit_files(places_of(layout_, {{layout_.receiving, Access::work}})));
  insist(calls_.enforce());
}

void ChildJail::keep_to(const std::string& association) const {
  const std::string folder = layout_.receiving + '/' + association;
  insist(jail::limit_files(places_of(layout_, {{layout_.receiving, Access::enter}, {folder, Access::work}})));
}

}  // namespace mercure::receive
