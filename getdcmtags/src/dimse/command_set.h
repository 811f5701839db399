// DIMSE command sets (PS3.7 section 6.3, tables 9.3-1 and E.1-1): requests and their responses, read and written.
//
// DCMTK's reader is not used: it refuses commands on a presentation context whose transfer syntax it does not know, which a router
// must relay, and it recurses over what the peer may have written.
#ifndef MERCURE_DIMSE_COMMAND_SET_H
#define MERCURE_DIMSE_COMMAND_SET_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mercure::dimse {

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

// Reads a request of any kind. Nothing when it is torn or has no command field.
std::optional<Command> parse_command(std::string_view bytes);

// The response to `request`. A comment longer than the 64 characters of (0000,0902) is cut.
std::string response_to(const Command& request, std::uint16_t status, std::string_view comment);

// A C-STORE request (PS3.7 section 9.3.1.1).
std::string store_request(std::uint16_t message_id, std::string_view sop_class, std::string_view sop_instance);

struct StoreResponse {
  std::optional<std::uint16_t> message_id;  // of the request that it answers
  std::uint16_t status = 0;
  std::string sop_instance;                 // of the image that it answers; empty where it does not say
  bool data_set_follows = false;
  std::string comment;                      // Error Comment (0000,0902), valid UTF-8; mostly empty
};

// Reads a C-STORE response. Nothing when the bytes are none. It is stricter than parse_command(): with two statuses it is unknown which
// one counts.
std::optional<StoreResponse> parse_store_response(std::string_view bytes);

}  // namespace mercure::dimse

#endif
