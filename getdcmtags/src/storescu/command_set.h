// The two command sets of a sender: C-STORE-RQ and C-STORE-RSP (PS3.7 section 9.3.1).
#ifndef MERCURE_STORESCU_COMMAND_SET_H
#define MERCURE_STORESCU_COMMAND_SET_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mercure::storescu {

std::string store_request(std::uint16_t message_id, std::string_view sop_class, std::string_view sop_instance);

struct StoreResponse {
  std::optional<std::uint16_t> message_id;  // of the request that it answers
  std::uint16_t status = 0;
  std::string sop_instance;                 // of which it tells; empty where it does not say
  bool data_set_follows = false;
  std::string comment;                      // Error Comment (0000,0902), valid UTF-8; mostly empty
};

// Nothing when the bytes are no C-STORE response. DCMTK's reader is not used: it refuses commands in a presentation
// context whose transfer syntax it does not know, and it recurses over what a target may have written.
std::optional<StoreResponse> parse_store_response(std::string_view bytes);

// Why a response says nothing of the image that was sent; empty when it does.
std::string objection_to(const std::optional<StoreResponse>& response, std::uint16_t message_id,
                         std::string_view sop_instance);

}  // namespace mercure::storescu

#endif
