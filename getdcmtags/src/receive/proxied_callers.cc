#include "receive/proxied_callers.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "receive/log.h"
#include "receive/proxy_header.h"

namespace mercure::receive {

namespace {

// A proxy sends its header at once: only one that is broken, or no proxy at all, leaves so many waiting.
constexpr std::size_t kMostWaiting = 256;

}  // namespace

void ProxiedCallers::take(Caller caller, Clock::time_point until) {
  if (waiting_.size() >= kMostWaiting) {
    refused(waiting_.front(), "no header of the PROXY protocol yet, and too many others wait");
    waiting_.erase(waiting_.begin());
  }
  waiting_.push_back({std::move(caller), {}, until});
}

void ProxiedCallers::watch(std::vector<pollfd>& set) const {
  for (const Waiting& waiting : waiting_) set.push_back({waiting.caller.socket.get(), POLLIN, 0});
}

// One after the other: the process that on_known_ may start for a caller goes on in there, and clears those that still wait.
void ProxiedCallers::work(Clock::time_point now) {
  for (std::size_t at = 0; at < waiting_.size();) {
    const State state = read_from(waiting_[at], now);
    if (state == State::waits) {
      ++at;
      continue;
    }
    Caller caller = std::move(waiting_[at].caller);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    if (state == State::is_known) on_known_(std::move(caller));
  }
}

ProxiedCallers::State ProxiedCallers::read_from(Waiting& waiting, Clock::time_point now) {
  std::array<char, ProxyHeader::kMostBytes> bytes;
  while (true) {
    const ProxyHeader header = read_proxy_header(waiting.heard);
    if (header.state == ProxyHeader::State::wrong) return refused(waiting, header.fault);
    if (header.state == ProxyHeader::State::proxied) waiting.caller.address = header.address;
    if (header.state != ProxyHeader::State::incomplete) return State::is_known;
    const ssize_t count = recv(waiting.caller.socket.get(), bytes.data(), header.size - waiting.heard.size(), MSG_DONTWAIT);
    if (count > 0) {
      waiting.heard.append(bytes.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      return ended(waiting);
    } else if (errno != EINTR) {
      return now < waiting.until ? State::waits : refused(waiting, "no header of the PROXY protocol in time");
    }
  }
}

ProxiedCallers::State ProxiedCallers::ended(const Waiting& waiting) const {
  if (!waiting.heard.empty()) return refused(waiting, "the connection ended within the header of the PROXY protocol");
  log::debug("a connection was closed without a word", {{"address", waiting.caller.address}});
  return State::is_gone;
}

ProxiedCallers::State ProxiedCallers::refused(const Waiting& waiting, const std::string& reason) const {
  on_refused_(waiting.caller, reason);
  return State::is_gone;
}

}  // namespace mercure::receive
