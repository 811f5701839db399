#include "receive/rejected_callers.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <utility>

namespace mercure::receive {

namespace {

// When so many wait, the oldest of the address with the most of them makes room: closing the newest would let a flood of
// silent connections keep the places, and closing the oldest of all would let it drive a scanner out.
constexpr std::size_t kMostWaiting = 128;
constexpr auto kTimeToSpeak = std::chrono::seconds(5);
constexpr auto kTimeToLeave = std::chrono::seconds(1);
constexpr int kRounds = 16;  // of reading from one caller, before the others have their turn

// The fixed part of an A-ASSOCIATE-RQ (PS3.8 table 9-11): called AE title from byte 10, calling AE title from byte 26.
constexpr char kAssociateRequest = 1;
constexpr std::size_t kTitlesEnd = 42;
constexpr std::size_t kTitleBytes = 16;

// A-ASSOCIATE-RJ: rejected transient (2), presentation related (3), local limit exceeded (2).
constexpr std::array<std::uint8_t, 10> kRejection = {3, 0, 0, 0, 0, 4, 0, 2, 3, 2};

std::string title_at(const std::string& request, std::size_t at) {
  const std::string title = request.substr(at, kTitleBytes);
  const std::string padding(" \0", 2);
  const auto first = title.find_first_not_of(padding);
  return first == std::string::npos ? std::string() : title.substr(first, title.find_last_not_of(padding) - first + 1);
}

}  // namespace

void RejectedCallers::take(Caller caller, std::string reason, Clock::time_point now) {
  if (waiting_.size() >= kMostWaiting) make_room();
  waiting_.push_back({std::move(caller), std::move(reason), {}, false, now + kTimeToSpeak});
}

void RejectedCallers::make_room() {
  std::map<std::string, std::size_t> callers;
  for (const Waiting& waiting : waiting_) ++callers[waiting.caller.address];
  const auto most = std::max_element(callers.begin(), callers.end(),
                                     [](const auto& one, const auto& other) { return one.second < other.second; });
  // They stand in the order in which they came.
  const auto first = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Waiting& waiting) { return waiting.caller.address == most->first; });
  if (!first->answered) on_rejected_({"", first->caller.address, "", ""}, first->reason);
  waiting_.erase(first);
}

void RejectedCallers::watch(std::vector<pollfd>& set) const {
  for (const Waiting& waiting : waiting_) set.push_back({waiting.caller.socket.get(), POLLIN, 0});
}

void RejectedCallers::work(Clock::time_point now) {
  std::erase_if(waiting_, [&](Waiting& waiting) { return is_done(waiting, now); });
}

bool RejectedCallers::is_done(Waiting& waiting, Clock::time_point now) {
  std::array<char, 4096> bytes;
  for (int round = 0; round < kRounds; ++round) {
    const ssize_t count = recv(waiting.caller.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0) return true;
    if (count < 0) {
      if (errno == EINTR) continue;
      return (errno != EAGAIN && errno != EWOULDBLOCK) || now >= waiting.until;
    }
    if (waiting.answered) continue;  // the rest of its request, of no interest
    waiting.heard.append(bytes.data(), static_cast<std::size_t>(count));
    if (waiting.heard.front() != kAssociateRequest) return true;
    if (waiting.heard.size() >= kTitlesEnd) answer(waiting, now);
  }
  return now >= waiting.until;
}

void RejectedCallers::answer(Waiting& waiting, Clock::time_point now) {
  waiting.answered = true;
  waiting.until = now + kTimeToLeave;
  const int socket = waiting.caller.socket.get();
  [[maybe_unused]] const auto sent = send(socket, kRejection.data(), kRejection.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(socket, SHUT_WR);
  on_rejected_({"", waiting.caller.address, title_at(waiting.heard, 26), title_at(waiting.heard, 10)}, waiting.reason);
}

}  // namespace mercure::receive
