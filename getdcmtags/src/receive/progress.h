// What an association process is doing, in memory that the server sees too: when the process dies by a hostile file, the server
// tells what became of it.
#ifndef MERCURE_RECEIVE_PROGRESS_H
#define MERCURE_RECEIVE_PROGRESS_H

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "receive/refusals.h"
#include "receive/shared_memory.h"

namespace mercure::receive {

// A presentation context that was not accepted as it was proposed; a text that is too long is cut.
struct RefusedContext {
  Refusal::What what{};
  std::string abstract_syntax;
  std::string transfer_syntax;
};

struct Progress {
  enum class Phase : int { waiting, receiving, reading, filing };

  // A text of fixed size: no pointer of one process means anything in the other.
  template <std::size_t Size>
  struct Text {
    std::array<char, Size> bytes{};

    void set(std::string_view text) {
      bytes.fill('\0');
      std::memcpy(bytes.data(), text.data(), text.size() < Size ? text.size() : Size - 1);
    }
    std::string get() const { return {bytes.data(), strnlen(bytes.data(), Size)}; }
  };

  std::atomic<Phase> phase{Phase::waiting};
  std::atomic<bool> opened{false};  // association.opened was emitted
  std::atomic<std::uint64_t> images{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> quarantined{0};
  Text<17> calling_aet;
  Text<17> called_aet;
  Text<40> image;            // id of the object at hand
  Text<40> part;             // and its file name in the association's folder
  Text<65> sop_class;        // and what the sender's command says of it
  Text<65> sop_instance;
  Text<65> transfer_syntax;

  // Refusals of this association, for the server to report. Counters are set last, so the entries they count are complete.
  struct Context {
    Refusal::What what{};
    Text<65> abstract_syntax;
    Text<65> transfer_syntax;
  };
  static constexpr std::size_t kMostContexts = 64;
  std::atomic<bool> was_refused{false};
  std::atomic<bool> is_refused_for_long{false};  // see Refusal::is_lasting
  Text<400> refusal;
  Text<40> refusal_kind;  // see Refusal::kind
  std::atomic<std::uint64_t> refused_contexts{0};
  std::array<Context, kMostContexts> contexts{};

  // Whether the association is counted by a quota, and whose it is.
  std::atomic<bool> is_counted{false};
  Text<65> sender_name;

  // The sender proposed both kinds of syntax in one context, was given the compressed one, and sent nothing or aborted.
  std::atomic<bool> could_not_send{false};
  Text<65> unsent_class;
  Text<65> unsent_syntax;

  std::atomic<std::int64_t> last_pdu{0};      // by the steady clock, in nanoseconds
  std::atomic<bool> place_is_wanted{false};  // the server wants its place for another sender

  void refuse(const std::string& reason, const std::string& kind);
  void refuse(const RefusedContext& context);
};

using SharedProgress = SharedMemory<Progress>;

}  // namespace mercure::receive

#endif
