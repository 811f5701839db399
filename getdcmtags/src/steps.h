// The numbered steps of a process, their log, and the faults that the crash tests ask for
// (docs/reference/spool.md, "Durable steps and faults"). The Python twin is in mercure/durable.py.
#ifndef MERCURE_STEPS_H
#define MERCURE_STEPS_H

#include <string_view>

namespace mercure::steps {

inline constexpr int kExitAtFault = 86;

// Counts one step and applies the faults meant for it. Returns the error (errno) with which the step must fail, or 0. A
// child of fork() goes on counting from its parent's number.
int take(std::string_view operation, std::string_view path);

// Checks MERCURE_FAULT now, so that a mistake in it ends the program at its start. Throws std::invalid_argument.
void check_environment();

// Forgets the count and reads the environment again at the next step, for tests within one process.
void reset();

}  // namespace mercure::steps

#endif
