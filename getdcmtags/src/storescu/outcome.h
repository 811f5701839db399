// What became of an image, and what went wrong as a whole.
#ifndef MERCURE_STORESCU_OUTCOME_H
#define MERCURE_STORESCU_OUTCOME_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mercure::storescu {

enum class Outcome : std::uint8_t {
  confirmed,  // the target answered Success
  warning,    // it stored the image, but not as it is
  refused,    // it does not want the image, now or at all
  failed,     // it could not store the image, or the connection ended before its answer
  not_sent,   // nothing of it was sent
};
inline constexpr std::size_t kOutcomes = 5;

std::string_view name_of(Outcome outcome);

// What a C-STORE status says (PS3.4 section B.2.3, PS3.7 section 9.1.1.1.9 and annex C).
struct Meaning {
  Outcome outcome;
  std::string_view text;  // empty for Success
};
Meaning meaning_of(std::uint16_t status);

// Why an image did not go, where it is not the target's answer.
enum class Cause : std::uint8_t {
  none,
  local,        // what is wrong is on this side
  unsupported,  // the target takes no such object, or in no transfer syntax in which it can be had
  altered,      // our copy is not what was received
};

// What is wrong on this side, if anything is.
struct Fault {
  Cause cause = Cause::none;
  std::string text;

  explicit operator bool() const { return cause != Cause::none; }
};

std::string_view name_of(Cause cause);

// The result for one image.
struct Result {
  Outcome outcome;
  std::optional<std::uint16_t> status;  // what the target answered
  std::string comment;                  // for a person; empty for Success
  Cause cause = Cause::none;
  std::string sent_as = {};             // the transfer syntax in which it went
  std::string passed_over = {};         // a syntax that was preferred, and why the image could not be had in it
};

enum class Kind : std::uint8_t { unreachable, rejected, timeout, aborted, local, stopped, violation, busy, tls };

std::string_view name_of(Kind kind);

// What kept images from being answered.
struct Problem {
  Kind kind;
  std::string text;
};

}  // namespace mercure::storescu

#endif
