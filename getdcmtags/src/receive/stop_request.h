// How an association process learns that it is to come to an end: by a signal of the server, or of the kernel when the server died.
#ifndef MERCURE_RECEIVE_STOP_REQUEST_H
#define MERCURE_RECEIVE_STOP_REQUEST_H

#include <csignal>

namespace mercure::receive::stop_request {

// The signal that asks. TERM and INT are not used for it: a terminal and a process manager send them to the whole group at once,
// and it is the server's to say when its associations must end.
inline constexpr int kSignal = SIGUSR2;

// Takes the signal from now on. Throws std::system_error.
void listen();

// Tells whether it came.
bool is_made();

// A descriptor that is readable once it came, for poll().
int descriptor();

}  // namespace mercure::receive::stop_request

#endif
