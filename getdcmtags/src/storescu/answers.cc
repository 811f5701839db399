#include "storescu/answers.h"

namespace mercure::storescu {

// Targets answer in odd ways. What leaves no doubt about which image and what became of it is taken: no Affected SOP UIDs (PS3.7
// table 9.1-1 leaves them to the target), no group length, a number in four bytes, the announcement of a data set that a C-STORE
// response never has, another SOP class (which does not say which image). All else is no answer.
std::string objection_to(const std::optional<dimse::StoreResponse>& response, std::uint16_t message_id, std::string_view sop_instance) {
  if (!response) return "the target sent an answer that is none to a C-STORE";
  if (!response->message_id) return "the target's answer does not say which message it answers";
  if (response->message_id != message_id) return "the target answered another message than the one sent";
  if (!response->sop_instance.empty() && response->sop_instance != sop_instance) {
    return "the target's answer names another instance than the one sent";
  }
  return {};
}

}  // namespace mercure::storescu
