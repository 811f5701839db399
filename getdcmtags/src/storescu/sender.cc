#include "storescu/sender.h"

#include <algorithm>
#include <thread>

namespace mercure::storescu {
namespace {

// Associations that break one after the other, without an answer in between, before it is given up.
constexpr unsigned kMostBroken = 3;

constexpr char kVerification[] = "1.2.840.10008.1.1";
constexpr char kImplicitLittle[] = "1.2.840.10008.1.2";

// What a new association may mend: the target ended the last one, or we did because of a strange answer.
bool is_worth_another(Kind kind) { return kind == Kind::aborted || kind == Kind::violation; }

Seconds since(Clock::time_point start) { return Clock::now() - start; }

}  // namespace

Sender::Sender(const Options& options, const std::vector<Image>& images, Broker& broker, const Tls& tls, Report& report,
               Clock::time_point total)
    : options_(options), images_(images), codec_(broker.codec_starter()), report_(report), tls_(tls) {
  const auto most = std::min<std::size_t>(options.associations, std::max<std::size_t>(images.size(), 1));
  while (associations_.size() < most) associations_.push_back(std::make_unique<Association>(options, total, codec_, tls_));
}

void Sender::run() {
  for (const Batch& batch : cut_into_batches(images_)) {
    run_batch(batch);
    if (!waiting_.empty()) return;
  }
}

void Sender::probe() {
  Association& association = *associations_.front();
  broken_ = association.open({{kVerification, kImplicitLittle}});
  if (!broken_) report_.association_opened();
  if (association.peer()) report_.answered_by(*association.peer());
  if (!broken_) association.release();
}

void Sender::run_batch(const Batch& batch) {
  for (std::size_t i = 0; i < batch.images.size(); ++i) {
    waiting_.push_back({batch.images[i], &batch.contexts_of_image[i]});
  }
  // The first association comes first: a target that takes one alone would reject each of several that come together.
  if (!open(*associations_.front(), batch)) return;
  const std::size_t workers = std::min(associations_.size(), batch.images.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers; ++i) {
    threads.emplace_back([this, i, &batch] {
      if (open(*associations_[i], batch)) work(*associations_[i], batch);
    });
  }
  work(*associations_.front(), batch);
  for (auto& thread : threads) thread.join();
}

bool Sender::open(Association& association, const Batch& batch) {
  if (nothing_left()) return false;
  const auto problem = association.open(batch.contexts);
  if (association.peer()) report_.answered_by(*association.peer());
  if (!problem) {
    report_.association_opened();
    return true;
  }
  const std::lock_guard lock(mutex_);
  not_opened_ = problem;
  return false;
}

// Sends over an open association, and over a new one each time that the target ends it.
void Sender::work(Association& association, const Batch& batch) {
  for (unsigned broken = 0; broken < kMostBroken;) {
    bool answered = false;
    const auto problem = send_over(association, answered);
    if (!problem) return association.release();
    if (problem->kind == Kind::local) {  // the image's own fault: it is reported, and the others go on
      if (!open(association, batch)) return;
      continue;
    }
    // A target that hangs would hang again, and cost a time limit each time.
    if (!is_worth_another(problem->kind)) return;
    broken = answered ? 1 : broken + 1;
    if (broken < kMostBroken && !open(association, batch)) return;
  }
}

// Sends until nothing is waiting, or until the association breaks.
std::optional<Problem> Sender::send_over(Association& association, bool& answered) {
  while (auto image = take()) {
    const auto start = Clock::now();
    const Answer answer = association.store(images_[image->place], *image->contexts, image->setback);
    if (answer.problem) {
      put_back_or_tell(*image, answer, since(start));
      return answer.problem;
    }
    report_.tell(image->place, answer.result, since(start));
    if (answer.result.status) {
      answered = true;
      note_answer();
    }
  }
  return std::nullopt;
}

std::optional<Sender::Waiting> Sender::take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty() || Stop::requested() || report_.is_broken()) return std::nullopt;
  const Waiting image = waiting_.front();
  waiting_.pop_front();
  return image;
}

// Some targets close an association after so many images, some abort at an image that they cannot take: the image is
// tried once more, first of all, on an association of its own. Then it has failed, and the others go on.
void Sender::put_back_or_tell(Waiting image, const Answer& answer, Seconds seconds) {
  const bool once_more = !image.tried && is_worth_another(answer.problem->kind);
  if (!once_more && !answer.try_next_syntax) report_.tell(image.place, answer.result, seconds);
  const std::lock_guard lock(mutex_);
  if (answer.try_next_syntax) waiting_.push_front(image);
  if (answer.problem->kind == Kind::local) return;
  broken_ = answer.problem;
  image.tried = true;
  if (once_more) waiting_.push_front(image);
}

void Sender::note_answer() {
  const std::lock_guard lock(mutex_);
  broken_.reset();
}

std::optional<Problem> Sender::error() {
  const std::lock_guard lock(mutex_);
  if (broken_ || waiting_.empty()) return broken_;
  return Stop::requested() ? Problem{Kind::stopped, "told to stop"} : not_opened_;
}

bool Sender::nothing_left() {
  const std::lock_guard lock(mutex_);
  return waiting_.empty() || Stop::requested() || report_.is_broken();
}

}  // namespace mercure::storescu
