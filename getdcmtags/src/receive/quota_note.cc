#include "receive/quota_note.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "durable.h"
#include "json.h"
#include "receive/log.h"

namespace mercure::receive {

namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

DayUse use_of(const Json& item) {
  if (!item.is_object()) return {};
  const Json day = item.value("day", Json());
  const Json bytes = item.value("bytes", Json());
  const bool is_use = day.is_number_integer() && bytes.is_number_integer() && bytes.get<std::int64_t>() > 0;
  return is_use ? DayUse{day.get<std::int64_t>(), bytes.get<std::int64_t>()} : DayUse{};
}

std::string line_of(const AllQuotaCounters& counters) {
  Json senders = Json::object();
  for (const auto& [name, use] : counters.used()) senders[name] = {{"day", use.day}, {"bytes", use.bytes}};
  return to_line({{"version", 1}, {"senders", std::move(senders)}}) + '\n';
}

}  // namespace

QuotaNote::QuotaNote(const std::string& spool) : folder_(spool + "/state"), path_(folder_ + "/quota-use.json") {}

void QuotaNote::restore(const AllQuotaCounters& counters) {
  noted_ = content_of(path_);
  const Json content = Json::parse(noted_, nullptr, false);
  if (!content.is_object()) return;
  const Json senders = content.value("senders", Json());
  if (!senders.is_object()) return;
  for (const auto& [name, item] : senders.items()) counters.restore(name, use_of(item));
}

void QuotaNote::keep(const AllQuotaCounters& counters) {
  const std::string line = line_of(counters);
  const bool is_nothing = noted_.empty() && counters.used().empty();
  if (line != noted_ && !is_nothing) write(line);
}

void QuotaNote::finish(const AllQuotaCounters& counters) {
  if (content_of(path_) == noted_) keep(counters);
}

void QuotaNote::write(const std::string& line) {
  const std::string fresh = path_ + ".new";
  try {
    durable::make_directory(folder_);
    ::unlink(fresh.c_str());
    durable::write(durable::create_file(fresh).get(), line, fresh);
    durable::rename(fresh, path_);
    noted_ = line;
    was_told_ = false;
  } catch (const durable::StepError& error) {
    if (!std::exchange(was_told_, true)) log::warning("what senders have used of their quotas is only kept in memory", {{"reason", error.what()}});
  }
}

}  // namespace mercure::receive
