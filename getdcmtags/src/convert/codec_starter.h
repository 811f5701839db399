// Starting and ending the program of the codecs. A sender that is shut in has its broker do it.
#ifndef MERCURE_CONVERT_CODEC_STARTER_H
#define MERCURE_CONVERT_CODEC_STARTER_H

#include <sys/types.h>

#include <string>

#include "descriptor.h"

namespace mercure::convert {

// The pipes between a codec and who uses it; our ends do not block.
struct CodecPipes {
  Descriptor to_codec;
  Descriptor from_codec;
};

class CodecStarter {
 public:
  virtual ~CodecStarter() = default;

  // An empty text, or why it could not be started.
  virtual std::string start(CodecPipes& pipes) = 0;

  // Kills it; one that ended already keeps its own reason. Returns how it ended, as waitpid() tells it.
  virtual int end() = 0;
};

// In this process.
class CodecProgram final : public CodecStarter {
 public:
  explicit CodecProgram(std::string program) : program_(std::move(program)) {}

  std::string start(CodecPipes& pipes) override;
  int end() override;

 private:
  std::string program_;
  pid_t child_ = -1;
};

}  // namespace mercure::convert

#endif
