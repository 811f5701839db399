// The answers to a C-STORE (PS3.4 table B.2-1, PS3.7 annex C) and what each means here.
#ifndef MERCURE_RECEIVE_STATUSES_H
#define MERCURE_RECEIVE_STATUSES_H

#include <cstdint>
#include <string>

namespace mercure::receive {

namespace status {
inline constexpr std::uint16_t kSuccess = 0x0000;
inline constexpr std::uint16_t kProcessingFailure = 0x0110;
inline constexpr std::uint16_t kSopClassNotSupported = 0x0122;
inline constexpr std::uint16_t kUnrecognizedOperation = 0x0211;
inline constexpr std::uint16_t kOutOfResources = 0xA700;
// A warning: the image is stored, and what the data set says counts for its name and events, because that is what everybody
// behind us reads. A refusal would be correct, and the exam would not be there.
inline constexpr std::uint16_t kDataSetDoesNotMatch = 0xB007;
inline constexpr std::uint16_t kCannotUnderstand = 0xC000;
}  // namespace status

struct Answer {
  std::uint16_t status = status::kSuccess;
  std::string comment;

  // Tells whether the image is kept and acknowledged.
  bool is_kept() const { return status == status::kSuccess || status == status::kDataSetDoesNotMatch; }
};

}  // namespace mercure::receive

#endif
