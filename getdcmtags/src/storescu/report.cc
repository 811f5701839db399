#include "storescu/report.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tags/json_writer.h"
#include "tags/transcoder.h"

namespace mercure::storescu {
namespace {

enum ExitCode : int {
  kDone = 0, kUnusableFile = 20, kAltered = 22, kNoOutput = 40, kUnreachable = 60, kRejected = 61, kTimeout = 62, kAborted = 63,
  kNotStored = 64, kWarnings = 65, kViolation = 66, kNoTls = 67, kStopped = 80,
};

constexpr std::array<std::pair<Kind, ExitCode>, 9> kCodes{{
    {Kind::unreachable, kUnreachable},
    {Kind::rejected, kRejected},
    {Kind::timeout, kTimeout},
    {Kind::aborted, kAborted},
    {Kind::local, kUnusableFile},
    {Kind::stopped, kStopped},
    {Kind::violation, kViolation},
    {Kind::busy, kRejected},
    {Kind::tls, kNoTls},
}};

void put(tags::JsonWriter& json, std::string_view key, std::string_view value) {
  json.member(key, tags::utf8(value));
}

void put(tags::JsonWriter& json, std::string_view key, std::size_t value) {
  json.key(key);
  json.integer(static_cast<std::int64_t>(value));
}

// What was agreed on over TLS, and the certificate of the target.
void put(tags::JsonWriter& json, const dimse::TlsPeer& peer) {
  json.key("tls");
  json.begin_object();
  put(json, "version", peer.version);
  put(json, "cipher", peer.cipher);
  put(json, "subject", peer.subject);
  put(json, "issuer", peer.issuer);
  put(json, "ends", peer.ends);
  put(json, "certificate", peer.certificate);
  json.end_object();
}

void put_seconds(tags::JsonWriter& json, Seconds seconds) {
  json.key("seconds");
  json.thousandths(std::chrono::round<std::chrono::milliseconds>(seconds).count());
}

}  // namespace

void Report::write_line(std::string line) {
  line += '\n';
  std::string_view left = line;
  while (!left.empty() && !broken_) {
    const ssize_t count = write(STDOUT_FILENO, left.data(), left.size());
    if (count >= 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
}

void Report::tell(std::size_t place, const Result& result, Seconds seconds) {
  const std::lock_guard lock(mutex_);
  if (!finished_) tell_locked(place, result, seconds);
}

void Report::tell_locked(std::size_t place, const Result& result, Seconds seconds) {
  if (told_[place]) return;
  told_[place] = true;
  ++counts_[static_cast<std::size_t>(result.outcome)];
  altered_ |= result.cause == Cause::altered;
  const Image& image = images_[place];
  tags::JsonWriter json;
  json.begin_object();
  put(json, "file", image.path);
  put(json, "sop", image.sop_instance);
  json.key("status");
  if (result.status) {
    std::array<char, 8> text;
    std::snprintf(text.data(), text.size(), "0x%04X", static_cast<unsigned>(*result.status));
    json.text(text.data());
  } else {
    json.null();
  }
  put(json, "outcome", name_of(result.outcome));
  put(json, "comment", result.comment);
  put(json, "syntax", image.transfer_syntax);
  if (!result.sent_as.empty()) put(json, "sent_as", result.sent_as);
  if (!result.passed_over.empty()) put(json, "passed_over", result.passed_over);
  if (result.cause != Cause::none) put(json, "kind", name_of(result.cause));
  put_seconds(json, seconds);
  json.end_object();
  write_line(json.take());
}

void Report::answered_by(const dimse::TlsPeer& peer) {
  const std::lock_guard lock(mutex_);
  peer_ = peer;
}

void Report::association_opened() {
  const std::lock_guard lock(mutex_);
  ++associations_;
}

bool Report::is_broken() {
  const std::lock_guard lock(mutex_);
  return broken_;
}

int Report::finish(const std::optional<Problem>& error) {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  for (std::size_t place = 0; place < images_.size(); ++place) {
    const bool unusable = !images_[place].problem.empty();
    unusable_ += unusable;
    const std::string why = unusable ? images_[place].problem : error ? error->text : "not tried";
    tell_locked(place, {Outcome::not_sent, std::nullopt, why}, Seconds(0));
  }
  write_line(summary(error));
  if (broken_) std::fputs("mercure-storescu: standard output could not be written\n", stderr);
  return exit_code(error);
}

std::string Report::summary(const std::optional<Problem>& error) const {
  tags::JsonWriter json;
  json.begin_object();
  json.key("summary");
  json.begin_object();
  put(json, "images", images_.size());
  for (std::size_t i = 0; i < kOutcomes; ++i) put(json, name_of(static_cast<Outcome>(i)), counts_[i]);
  put(json, "associations", associations_);
  put_seconds(json, Clock::now() - start_);
  json.end_object();
  if (peer_) put(json, *peer_);
  json.key("error");
  if (error) {
    json.begin_object();
    put(json, "kind", name_of(error->kind));
    put(json, "text", error->text);
    json.end_object();
  } else {
    json.null();
  }
  json.end_object();
  return json.take();
}

int Report::exit_code(const std::optional<Problem>& error) const {
  if (broken_) return kNoOutput;
  if (error) {
    for (const auto& [kind, code] : kCodes) {
      if (kind == error->kind) return code;
    }
  }
  if (altered_) return kAltered;
  if (count(Outcome::refused) + count(Outcome::failed) > 0) return kNotStored;
  if (count(Outcome::not_sent) > 0) return kUnusableFile;
  return count(Outcome::warning) > 0 ? kWarnings : kDone;
}

}  // namespace mercure::storescu
