// Which abstract syntaxes are for storage.
#ifndef MERCURE_RECEIVE_SOP_CLASSES_H
#define MERCURE_RECEIVE_SOP_CLASSES_H

#include <string_view>

namespace mercure::receive {

inline constexpr std::string_view kVerification = "1.2.840.10008.1.1";  // C-ECHO, PS3.4 annex A

// Tells whether an abstract syntax is a service of the standard that stores nothing (query, worklist, print ...). Everything
// else counts as storage: classes newer than this program, and private ones, must pass through a router.
bool is_other_service(std::string_view abstract_syntax);

}  // namespace mercure::receive

#endif
