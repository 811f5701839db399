// mercure-codec: decodes and encodes frames from standard input to standard output, shut in: whatever a frame does to a
// codec, it does it here. A sender starts one for each attempt (convert/codec_process.h); it is no tool for people.
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "convert/codec_protocol.h"
#include "codec/codecs.h"
#include "jail/jail.h"

namespace {

using mercure::convert::CompressedSyntax;
using mercure::convert::CodecAnswer;
using mercure::convert::CodecRequest;
using mercure::codec::Task;

constexpr std::uint64_t kMostMemory = 6ULL << 30;  // a frame of 1 GiB, compressed, decoded and in the codec
constexpr std::uint64_t kMostCpuSeconds = 3600;
constexpr std::uint64_t kLargestFrame = 1ULL << 30;

bool read_all(void* to, std::size_t count) {
  for (auto* at = static_cast<char*>(to); count > 0;) {
    const ssize_t got = read(STDIN_FILENO, at, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(const void* from, std::size_t count) {
  for (const auto* at = static_cast<const char*>(from); count > 0;) {
    const ssize_t put = write(STDOUT_FILENO, at, count);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    count -= static_cast<std::size_t>(put);
  }
  return true;
}

Task task_of(const CodecRequest& request, const std::string& given) {
  Task task{{request.transfer_syntax.data(), static_cast<mercure::convert::Codec>(request.codec)}, {}, given};
  task.pixels.rows = request.rows;
  task.pixels.columns = request.columns;
  task.pixels.samples = request.samples;
  task.pixels.bits_allocated = request.bits_allocated;
  task.pixels.bits_stored = request.bits_stored;
  task.pixels.is_signed = request.is_signed != 0;
  task.pixels.by_plane = request.by_plane != 0;
  task.pixels.photometric = request.photometric.data();
  return task;
}

// False when the sender is gone or says what makes no sense.
bool serve(std::string& given, std::string& made) {
  CodecRequest request{};
  if (!read_all(&request, sizeof request) || request.bytes > kLargestFrame) return false;
  request.transfer_syntax.back() = request.photometric.back() = '\0';
  given.resize(request.bytes);
  if (!read_all(given.data(), given.size())) return false;
  const Task task = task_of(request, given);
  std::string problem = task.pixels.problem();
  const auto run = request.encodes != 0 ? mercure::codec::encode : mercure::codec::decode;
  if (problem.empty()) problem = run(task, made);
  const std::string& body = problem.empty() ? made : problem;
  const CodecAnswer answer{body.size(), problem.empty()};
  return write_all(&answer, sizeof answer) && write_all(body.data(), body.size());
}

}  // namespace

int main() {
  // A sender holds locks on its task; they end with it, whatever a codec is doing here.
  close_range(STDERR_FILENO + 1, ~0U, 0);
  mercure::codec::prepare_codecs();
  const std::string problem = mercure::jail::enter({kMostMemory, kMostCpuSeconds});
  if (!problem.empty()) {
    std::fprintf(stderr, "mercure-codec: it cannot be shut in: %s\n", problem.c_str());
    return 1;
  }
  std::string given;
  std::string made;
  while (serve(given, made)) continue;
  _exit(0);
}
