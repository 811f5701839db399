#include "receive/unable_senders.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "durable.h"
#include "json.h"
#include "receive/log.h"

namespace mercure::receive {

namespace {

constexpr std::size_t kMost = 1'000;

}  // namespace

UnableSenders::UnableSenders(const std::string& spool) : folder_(spool + "/state"), path_(folder_ + "/unable-senders.json") {
  load();
}

void UnableSenders::load() {
  std::ifstream file(path_, std::ios::binary);
  const Json content = Json::parse(file, nullptr, false);
  const auto senders = content.is_object() ? content.find("senders") : content.end();
  if (!content.is_object() || senders == content.end() || !senders->is_array()) return;
  for (const Json& item : *senders) {
    const bool is_sender = item.is_object() && item.value("calling_aet", Json()).is_string() && item.value("address", Json()).is_string();
    if (is_sender && senders_.size() < kMost) senders_.emplace_back(item["calling_aet"], item["address"]);
  }
}

bool UnableSenders::contains(const Sender& sender) const {
  return std::find(senders_.begin(), senders_.end(), std::pair(sender.calling_aet, sender.address)) != senders_.end();
}

bool UnableSenders::add(const Sender& sender) {
  if (contains(sender)) return false;
  if (senders_.size() == kMost) senders_.erase(senders_.begin());
  senders_.emplace_back(sender.calling_aet, sender.address);
  save();
  return true;
}

void UnableSenders::save() const {
  Json list = Json::array();
  for (const auto& [title, address] : senders_) list.push_back({{"calling_aet", title}, {"address", address}});
  const std::string fresh = path_ + ".new";
  try {
    durable::make_directory(folder_);
    ::unlink(fresh.c_str());
    const Descriptor file = durable::create_file(fresh);
    durable::write(file.get(), to_line({{"version", 1}, {"senders", std::move(list)}}) + '\n', fresh);
    durable::sync_data(file.get(), fresh);
    durable::rename(fresh, path_);
    durable::sync_directory(folder_);
  } catch (const durable::StepError& error) {
    log::warning("which senders cannot send compressed images is only kept in memory", {{"reason", error.what()}});
  }
}

}  // namespace mercure::receive
