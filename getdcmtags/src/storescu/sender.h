// Sends a list of images: batch by batch, over several associations at once, going on where one breaks.
#ifndef MERCURE_STORESCU_SENDER_H
#define MERCURE_STORESCU_SENDER_H

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "convert/codec_process.h"
#include "storescu/association.h"
#include "storescu/broker.h"
#include "storescu/image.h"
#include "storescu/report.h"

namespace mercure::storescu {

class Sender {
 public:
  // All but the time outlive this.
  Sender(const Options& options, const std::vector<Image>& images, Broker& broker, const Tls& tls, Report& report,
         Clock::time_point total);

  // Blocks until every image is answered or none can be any more. Then error() says why.
  void run();

  // Opens one association that needs no image, and releases it.
  void probe();

  // What kept images from being answered; nothing when all were.
  std::optional<Problem> error();

 private:
  struct Waiting {
    std::size_t place;
    const std::vector<std::size_t>* contexts;
    bool tried = false;
    Setback setback = {};
  };

  void run_batch(const Batch& batch);
  bool open(Association& association, const Batch& batch);
  void work(Association& association, const Batch& batch);
  std::optional<Problem> send_over(Association& association, bool& answered);
  std::optional<Waiting> take();
  void put_back_or_tell(Waiting image, const Answer& answer, Seconds seconds);
  void note_answer();
  bool nothing_left();

  const Options& options_;
  const std::vector<Image>& images_;
  convert::CodecProcess codec_;  // one for all: what a frame does to it costs that image
  Report& report_;
  const Tls& tls_;
  std::vector<std::unique_ptr<Association>> associations_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  std::optional<Problem> not_opened_;  // why an association did not come about: of interest if images wait in the end
  std::optional<Problem> broken_;      // why an image stayed without an answer, and none came after it
};

}  // namespace mercure::storescu

#endif
