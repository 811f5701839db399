#include "receive/spool_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "durable.h"

namespace mercure::receive {

void prepare_spool(const Layout& layout) {
  std::optional<dev_t> device;
  for (const std::string& stage : {layout.receiving, layout.incoming, layout.quarantine, layout.outbox}) {
    struct stat state {};
    if (stat(stage.c_str(), &state) != 0) {
      durable::make_directory(stage);
      if (stat(stage.c_str(), &state) != 0) throw durable::StepError(errno, "mkdir", stage);
    }
    if (!S_ISDIR(state.st_mode)) throw durable::StepError(ENOTDIR, "mkdir", stage);
    if (access(stage.c_str(), R_OK | W_OK | X_OK) != 0) {
      throw std::system_error(errno, std::generic_category(), stage + " must be readable and writable for this user");
    }
    if (device.value_or(state.st_dev) != state.st_dev) {
      throw std::system_error(EXDEV, std::generic_category(), stage + " is on another file system than the other stages");
    }
    device = state.st_dev;
  }
}

}  // namespace mercure::receive
