#include "steps.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mercure::steps {

namespace {

struct Action {
  std::string_view name;
  int error;   // with which the step fails; 0: the process ends
  int signal;  // by which the process ends, or stands still; 0: it ends by _exit
};

constexpr Action kActions[] = {
    {"exit", 0, 0},        {"kill", 0, SIGKILL}, {"stop", 0, SIGSTOP},
    {"ENOSPC", ENOSPC, 0}, {"EIO", EIO, 0},      {"EROFS", EROFS, 0},
};

struct Fault {
  const Action* action;
  unsigned long number;
  bool onward;

  bool applies(unsigned long step) const { return onward ? step >= number : step == number; }
};

Fault parse(std::string_view text) {
  const auto at = text.find('@');
  const auto* action = std::find_if(std::begin(kActions), std::end(kActions),
                                    [&](const Action& known) { return known.name == text.substr(0, at); });
  std::string_view place = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  const bool onward = !place.empty() && place.back() == '+';
  if (onward) place.remove_suffix(1);
  unsigned long number = 0;
  const auto [end, error] = std::from_chars(place.data(), place.data() + place.size(), number);
  if (action == std::end(kActions) || place.empty() || error != std::errc() || end != place.data() + place.size()) {
    throw std::invalid_argument("MERCURE_FAULT: \"" + std::string(text) +
                                "\" is not ACTION@N or ACTION@N+ with exit, kill, stop, ENOSPC, EIO or EROFS");
  }
  return {action, number, onward};
}

std::vector<Fault> parse_all(std::string_view text) {
  std::vector<Fault> faults;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) faults.push_back(parse(text.substr(0, comma)));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return faults;
}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// What this process was told at its first step, and how far it is.
class Steps {
 public:
  Steps() : faults_(parse_all(environment("MERCURE_FAULT"))) {
    const std::string log(environment("MERCURE_STEP_LOG"));
    if (log.empty()) return;
    log_ = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log_ < 0) throw std::invalid_argument("MERCURE_STEP_LOG: cannot open " + log);
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() {
    if (log_ >= 0) close(log_);
  }

  int take(std::string_view operation, std::string_view path) {
    ++count_;
    if (log_ >= 0) note(operation, path);
    for (const Fault& fault : faults_) {
      if (fault.applies(count_)) return strike(*fault.action);
    }
    return 0;
  }

 private:
  void note(std::string_view operation, std::string_view path) const {
    std::string line = std::to_string(getpid()) + ' ' + std::to_string(count_) + ' ';
    line.append(operation).append(" ").append(path).append("\n");
    // A log for tests: a line that cannot be written must not change what is tested.
    [[maybe_unused]] const auto written = write(log_, line.data(), line.size());
  }

  static int strike(const Action& action) {
    if (action.error != 0) return action.error;
    if (action.signal != 0) raise(action.signal);
    if (action.signal == SIGSTOP) return 0;  // it was let go on
    _exit(kExitAtFault);
  }

  std::vector<Fault> faults_;
  int log_ = -1;
  unsigned long count_ = 0;
};

std::optional<Steps> g_steps;  // one per process, by the contract; made at the first step

}  // namespace

int take(std::string_view operation, std::string_view path) {
  if (!g_steps) g_steps.emplace();
  return g_steps->take(operation, path);
}

void check_environment() {
  if (!g_steps) g_steps.emplace();
}

void reset() { g_steps.reset(); }

}  // namespace mercure::steps
