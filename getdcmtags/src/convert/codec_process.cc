#include "convert/codec_process.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mercure::convert {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMostAtOnce = 1 << 20;
constexpr std::uint64_t kLongestReason = 4096;

// What no codec makes of a frame (RLE grows by a byte in 128, JPEG-LS by a little more).
std::uint64_t most_encoded(const Pixels& pixels) { return 2 * pixels.frame_bytes() + 65'536; }

CodecRequest request_for(const CompressedSyntax& syntax, const Pixels& pixels, std::size_t bytes) {
  CodecRequest request{};
  syntax.uid.copy(request.transfer_syntax.data(), request.transfer_syntax.size() - 1);
  pixels.photometric.copy(request.photometric.data(), request.photometric.size() - 1);
  request.codec = static_cast<std::uint8_t>(syntax.codec);
  request.is_signed = pixels.is_signed;
  request.by_plane = pixels.by_plane;
  request.rows = pixels.rows;
  request.columns = pixels.columns;
  request.samples = pixels.samples;
  request.bits_allocated = pixels.bits_allocated;
  request.bits_stored = pixels.bits_stored;
  request.bytes = bytes;
  return request;
}

std::string_view bytes_of(const CodecRequest& request) {
  return {reinterpret_cast<const char*>(&request), sizeof request};
}

// True when there is something to do before `end`.
bool wait_for(int descriptor, short events, steady_clock::time_point end) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{descriptor, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

CodecProcess::CodecProcess(std::unique_ptr<CodecStarter> starter, std::chrono::milliseconds per_frame)
    : starter_(std::move(starter)), per_frame_(per_frame) {}

CodecProcess::~CodecProcess() { end(); }

std::string CodecProcess::decode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view frame,
                                 std::string& samples) {
  return ask(request_for(syntax, pixels, frame.size()), frame, pixels.frame_bytes(), samples);
}

std::string CodecProcess::encode(const CompressedSyntax& syntax, const Pixels& pixels, std::string_view samples,
                                 std::string& frame) {
  CodecRequest request = request_for(syntax, pixels, samples.size());
  request.encodes = true;
  return ask(request, samples, most_encoded(pixels), frame);
}

// One request at a time, whichever of the attempt's associations makes it.
std::string CodecProcess::ask(const CodecRequest& request, std::string_view bytes, std::uint64_t most, std::string& made) {
  const std::lock_guard lock(mutex_);
  if (!is_started_) {
    if (std::string problem = starter_->start(pipes_); !problem.empty()) return problem;
    is_started_ = true;
  }
  const Time end = steady_clock::now() + per_frame_;
  std::string head;
  CodecAnswer answer{};
  if (!send(bytes_of(request), end) || !send(bytes, end) || !receive(sizeof answer, head, end)) return lost(end);
  std::memcpy(&answer, head.data(), sizeof answer);
  if (answer.bytes > (answer.is_done ? most : kLongestReason)) return lost(end);
  std::string& body = answer.is_done ? made : head;
  if (!receive(answer.bytes, body, end)) return lost(end);
  return answer.is_done ? std::string() : head;
}

bool CodecProcess::send(std::string_view bytes, Time end) {
  while (!bytes.empty()) {
    const ssize_t put = write(pipes_.to_codec.get(), bytes.data(), std::min(bytes.size(), kMostAtOnce));
    if (put > 0) bytes.remove_prefix(static_cast<std::size_t>(put));
    const bool full = put < 0 && errno == EAGAIN;
    if (put < 0 && errno != EINTR && !full) return false;
    if (full && !wait_for(pipes_.to_codec.get(), POLLOUT, end)) return false;
  }
  return true;
}

bool CodecProcess::receive(std::size_t count, std::string& answer, Time end) {
  answer.resize(count);
  for (std::size_t at = 0; at < count;) {
    const ssize_t got = read(pipes_.from_codec.get(), answer.data() + at, count - at);
    if (got == 0) return false;
    if (got > 0) at += static_cast<std::size_t>(got);
    const bool empty = got < 0 && errno == EAGAIN;
    if (got < 0 && errno != EINTR && !empty) return false;
    if (empty && !wait_for(pipes_.from_codec.get(), POLLIN, end)) return false;
  }
  return true;
}

// Why there is no answer. The process is ended in any case: what it would say next answers nothing that is asked.
std::string CodecProcess::lost(Time end) {
  if (steady_clock::now() >= end) {
    this->end();
    return "the codec took longer than " + std::to_string(per_frame_.count()) + " ms for one frame and was ended";
  }
  const int status = this->end();
  if (WIFSIGNALED(status)) return "the codec was ended by signal " + std::to_string(WTERMSIG(status)) + " at this frame";
  return "the codec ended without an answer, with code " + std::to_string(WEXITSTATUS(status));
}

int CodecProcess::end() {
  pipes_ = {};
  return std::exchange(is_started_, false) ? starter_->end() : 0;
}

}  // namespace mercure::convert
