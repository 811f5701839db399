// Events on their way to the history (docs/reference/events.md). The Python twin is EventWriter in mercure/events.py.
#ifndef MERCURE_OUTBOX_H
#define MERCURE_OUTBOX_H

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "descriptor.h"
#include "json.h"

namespace mercure {

// Appends the events of one process to its own locked file in outbox/. After fork() the child calls leave() and makes its own.
class Outbox {
 public:
  // `directory` is the stage; `service` becomes a part of the file's name.
  Outbox(std::string directory, std::string service);

  // Appends one event, and before it those that the disk refused earlier. Never throws: the state that an event describes is on
  // disk already, and failing for the event's sake would make a full disk deny an image that is kept.
  void emit(const std::string& type, const std::optional<std::string>& series, const Json& details);

  // The same with details that are written already: what comes with each image costs less so.
  void emit_written(const std::string& type, const std::optional<std::string>& series, std::string_view details);

  // Events that wait in memory because the disk refused them.
  std::size_t waiting() const { return backlog_.size(); }

  // Closes the file, so that the bookkeeper may take it for finished; the next event opens a new one.
  void close();

  // For a child of fork(): drops the parent's file, which the parent still holds locked, and the events that wait for it.
  void leave();

 private:
  using Clock = std::chrono::steady_clock;

  void flush();
  void open();

  std::string directory_;
  std::string service_;
  std::string path_;
  Descriptor file_;
  std::uint64_t bytes_ = 0;
  Clock::time_point opened_;
  std::deque<std::string> backlog_;
};

}  // namespace mercure

#endif
