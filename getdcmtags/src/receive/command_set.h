// DIMSE command sets (PS3.7 section 6.3): what a request says, and how a response is written.
#ifndef MERCURE_RECEIVE_COMMAND_SET_H
#define MERCURE_RECEIVE_COMMAND_SET_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mercure::receive {

// Command Field values, PS3.7 annex E.
inline constexpr std::uint16_t kCStoreRequest = 0x0001;
inline constexpr std::uint16_t kCEchoRequest = 0x0030;
inline constexpr std::uint16_t kCCancelRequest = 0x0FFF;
inline constexpr std::uint16_t kResponseBit = 0x8000;

struct Command {
  std::uint16_t field = 0;
  std::uint16_t message_id = 0;
  bool has_data_set = false;
  std::string sop_class;     // AffectedSOPClassUID, empty when it is missing
  std::string sop_instance;  // AffectedSOPInstanceUID, empty when it is missing
};

// Reads a command set (Implicit VR Little Endian, no sequences). Nothing when it is torn or has no command field. DCMTK's own
// reader is not used: it refuses commands on a context whose transfer syntax it does not know, which a router must relay.
std::optional<Command> parse_command(std::string_view bytes);

// The response to `request`. A comment longer than the 64 characters of (0000,0902) is cut.
std::string response_to(const Command& request, std::uint16_t status, std::string_view comment);

}  // namespace mercure::receive

#endif
