// Which answers of a target are taken for the answer to an image.
#ifndef MERCURE_STORESCU_ANSWERS_H
#define MERCURE_STORESCU_ANSWERS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dimse/command_set.h"

namespace mercure::storescu {

// Says why a response says nothing of the image that was sent; empty when it does.
std::string objection_to(const std::optional<dimse::StoreResponse>& response, std::uint16_t message_id, std::string_view sop_instance);

}  // namespace mercure::storescu

#endif
