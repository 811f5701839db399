// The stages that the receiver needs, before it answers the first caller.
#ifndef MERCURE_RECEIVE_SPOOL_CHECK_H
#define MERCURE_RECEIVE_SPOOL_CHECK_H

#include "receive/layout.h"

namespace mercure::receive {

// Makes the stages that are missing, and makes sure that they can be written and are on one file system, where a rename is one step.
// Throws std::system_error with what to do about it.
void prepare_spool(const Layout& layout);

}  // namespace mercure::receive

#endif
