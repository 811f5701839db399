// Frames are decoded and encoded by `mercure-codec`, a process that can reach nothing but the two pipes between it and us.
// One serves all associations of an attempt.
#ifndef MERCURE_CONVERT_CODEC_PROCESS_H
#define MERCURE_CONVERT_CODEC_PROCESS_H

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "convert/codec_protocol.h"
#include "convert/codec_starter.h"
#include "convert/frame_codec.h"

namespace mercure::convert {

class CodecProcess final : public FrameCodec {
 public:
  // Nothing is started before the first frame.
  explicit CodecProcess(std::unique_ptr<CodecStarter> starter, std::chrono::milliseconds per_frame = std::chrono::minutes(2));
  ~CodecProcess() override;
  CodecProcess(const CodecProcess&) = delete;
  CodecProcess& operator=(const CodecProcess&) = delete;

  // A process that crashed, hangs or was ended is replaced: it costs the frame at which that happened.
  std::string decode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view frame,
                     std::string& samples) override;
  std::string encode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view samples,
                     std::string& frame) override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  std::string ask(const CodecRequest& request, std::string_view bytes, std::uint64_t most, std::string& made);
  bool send(std::string_view bytes, Time end);
  bool receive(std::size_t count, std::string& answer, Time end);
  std::string lost(Time end);
  int end();

  std::mutex mutex_;
  std::unique_ptr<CodecStarter> starter_;
  std::chrono::milliseconds per_frame_;
  bool is_started_ = false;
  CodecPipes pipes_;
};

}  // namespace mercure::convert

#endif
