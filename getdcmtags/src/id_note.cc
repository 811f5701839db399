#include "id_note.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "durable.h"
#include "ids.h"
#include "json.h"

namespace mercure {

namespace {

constexpr long long kMicroseconds = 1'000'000;

// So many seconds of notes may be missing. A killed receiver has lost those since it last looked after its house; a machine that
// lost its power those that the kernel had not brought to the disk, which it does every 35 seconds.
constexpr long long kLostByKill = 10;
constexpr long long kLostByPowerCut = 60;

struct Noted {
  std::string boot;
  long long newest = 0;  // microseconds since 1970
};

// Nothing where there is none, or what is there is no note.
Noted read_note(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const Json read = Json::parse(file, nullptr, false);
  if (!read.is_object()) return {};
  const auto boot = read.find("boot");
  const auto newest = read.find("newest");
  if (boot == read.end() || newest == read.end() || !boot->is_string() || !newest->is_number_integer()) return {};
  const auto number = newest->get<long long>();
  return believed(number) ? Noted{boot->get<std::string>(), number} : Noted{};
}

}  // namespace

IdNote::IdNote(const std::string& spool, std::string boot)
    : spool_(spool), folder_(spool + "/state/clock"), path_(folder_ + "/receiver-ids.json"), boot_(std::move(boot)) {}

std::string IdNote::this_boot() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  return boot;
}

std::string IdNote::line(long long newest) const { return to_line(Json{{"boot", boot_}, {"newest", newest}}) + '\n'; }

void IdNote::begin() {
  const Noted noted = read_note(path_);
  const bool same_boot = noted.newest > 0 && !boot_.empty() && noted.boot == boot_;
  // Within one boot the note tells more than the clock: also what an id says that was given while the clock was wrong.
  order_ids(same_boot ? 0 : latest_shown(spool_));
  if (noted.newest > 0) go_on_after(noted.newest + (same_boot ? kLostByKill : kLostByPowerCut) * kMicroseconds);
  const Instant now = Instant::now();
  noted_ = std::max(newest_id(), now.seconds * kMicroseconds);
  const std::string fresh = path_ + ".new";
  durable::make_directory(folder_);
  durable::unlink(fresh);
  Descriptor file = durable::create_file(fresh);
  durable::write(file.get(), line(noted_), fresh);
  durable::sync_file(file.get(), fresh);
  durable::rename(fresh, path_);
  durable::sync_directory(folder_);
  file_ = std::move(file);
}

void IdNote::keep() {
  const long long newest = newest_id();
  if (!file_ || newest <= noted_) return;
  const std::string text = line(newest);  // as long as the one before: the number has 16 digits until the year 2286
  [[maybe_unused]] const auto written = pwrite(file_.get(), text.data(), text.size(), 0);
  noted_ = newest;
}

}  // namespace mercure
