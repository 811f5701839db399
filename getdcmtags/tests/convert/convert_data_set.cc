// convert_data_set FROM TO (IN OUT)...: IN and OUT are data sets without a meta header, FROM and TO transfer syntaxes. The codec
// program is looked for one folder up. Prints why one could not be converted and exits with 1; 2 is a wrong call.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "convert/data_set.h"
#include "convert/codec_process.h"

namespace {

class FileSink final : public mercure::convert::Sink {
 public:
  explicit FileSink(const char* path) : file_(path, std::ios::binary) {}
  bool write(std::string_view bytes) override {
    file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file_.good();
  }

 private:
  std::ofstream file_;
};

using namespace mercure::convert;

// The exit code.
int convert(const Source& from, const Destination& to, const char* in, const char* out, FrameCodec& codec) {
  const int file = open(in, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) return 2;
  Conversion conversion(file, 0, static_cast<std::uint64_t>(status.st_size), from, to, &codec);
  FileSink sink(out);
  const bool done = conversion.measure() && conversion.write(sink);
  if (!done) std::puts(conversion.reason().c_str());
  close(file);
  return done ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // the codec program may be gone
  const auto from = count >= 5 ? Source::of(arguments[1]) : std::nullopt;
  const auto to = count >= 5 ? Destination::of(arguments[2]) : std::nullopt;
  if (!from || !to || count % 2 != 1) return 2;
  const std::string program(arguments[0]);
  CodecProcess codec(std::make_unique<CodecProgram>(program.substr(0, program.rfind('/')) + "/../mercure-codec"));
  for (int at = 3; at < count; at += 2) {
    if (const int code = convert(*from, *to, arguments[at], arguments[at + 1], codec)) return code;
  }
  return 0;
}
