// `receiving/<association>/`: where the objects of one association arrive, locked as long as its process lives.
#ifndef MERCURE_RECEIVE_ASSOCIATION_FOLDER_H
#define MERCURE_RECEIVE_ASSOCIATION_FOLDER_H

#include <functional>
#include <string>

#include "descriptor.h"

namespace mercure::receive {

// Makes the folder and locks it; the lock lives as long as the descriptor. Throws durable::StepError.
Descriptor open_association_folder(const std::string& receiving, const std::string& association);

// Removes the folder and the parts in it. What cannot be removed stays for clear_leftovers().
void remove_association_folder(const std::string& receiving, const std::string& association) noexcept;

// What clear_leftovers() found.
struct Leftovers {
  unsigned cleared = 0;  // folders of dead processes, now gone
  unsigned alive = 0;    // folders of processes that still receive
};

// Removes the folders whose process is dead: nothing in them was ever acknowledged. Calls `told` for each with the name of
// the association and the number of unfinished objects. Folders of this process's own children count as alive.
Leftovers clear_leftovers(const std::string& receiving, const std::function<void(const std::string&, unsigned)>& told);

}  // namespace mercure::receive

#endif
