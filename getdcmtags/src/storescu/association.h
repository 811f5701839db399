// One association with the target after another. Data sets go out bit by bit as they are in the file: DCMTK's DIMSE layer would
// parse and write them anew, slower, not always the same, and dying of some of them.
#ifndef MERCURE_STORESCU_ASSOCIATION_H
#define MERCURE_STORESCU_ASSOCIATION_H

#include <optional>
#include <string>
#include <vector>

#include "convert/frame_codec.h"
#include "dimse/connection.h"
#include "dimse/dcmtk.h"
#include "dimse/messages.h"
#include "dimse/tls.h"
#include "storescu/data_set_reader.h"
#include "storescu/deadline.h"
#include "storescu/image.h"
#include "storescu/options.h"
#include "storescu/outcome.h"

namespace mercure::storescu {

// The answer to one image. With a problem the association is gone.
struct Answer {
  Result result;
  std::optional<Problem> problem;
  bool try_next_syntax = false;  // it was lost to an encoder, with half of the image sent
};

// The syntaxes of an image that were tried in vain: an encoder could not make it.
struct Setback {
  std::size_t tried = 0;
  std::string why = {};  // the first of them, and what the encoder said
};

// What all associations of one run share of TLS. Files that cannot be used are a problem of each.
struct Tls {
  explicit Tls(const Options& options);

  std::optional<dimse::TlsContext> context;  // absent: without TLS, or there is a fault
  std::string fault;
};

class Association {
 public:
  // Not from several threads at once: DCMTK fills tables on first use.
  Association(const Options& options, Clock::time_point total, convert::FrameCodec& codec, const Tls& tls);
  ~Association();
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;

  // Connects and negotiates. Nothing on success.
  std::optional<Problem> open(const std::vector<Context>& contexts);

  // Sends one image and waits for the answer. `contexts` are the places of its syntaxes among those given to open().
  // What could not be encoded is added to `setback`; then the next one is tried.
  Answer store(const Image& image, const std::vector<std::size_t>& contexts, Setback& setback);

  // Who answered over TLS, also where it was not believed.
  const std::optional<dimse::TlsPeer>& peer() const { return peer_; }

  // Ends it in order, or by A-ABORT where that cannot be.
  void release();

 private:
  enum class Until { answer, answer_or_end_of_data_set };

  class ConvertedSink;

  std::optional<std::size_t> choose(const Image& image, const std::vector<std::size_t>& contexts, const Setback& setback) const;
  Answer refused(const Image& image, const std::vector<std::size_t>& contexts) const;
  std::uint16_t begin_message();
  Answer answer_to(std::uint16_t message_id, const Image& image, dimse::End sent);
  Answer store_as_it_is(unsigned char context, int file, const Image& image, std::uint64_t end);
  Answer store_converted(unsigned char context, int file, const Image& image, std::uint64_t end, const std::string& syntax,
                         std::string& encoder);
  dimse::Connection& take_over(int socket);
  bool add_contexts(T_ASC_Parameters* parameters, const std::vector<Context>& contexts);
  T_ASC_Parameters* parameters_for(const std::vector<Context>& contexts);
  Problem opening_failed(const OFCondition& condition);
  void note_peer();
  std::optional<Problem> tls_failed(const std::string& place) const;
  Problem problem_of(dimse::End end, const std::string& what);
  Answer broken(dimse::End end, const std::string& what);
  dimse::End send_data_set(unsigned char context, DataSetReader& data_set, const Image& image, std::uint16_t message_id);
  dimse::End receive_command(std::string& command, Until until);
  dimse::End look_for_early_answer(std::uint16_t message_id, const Image& image);
  dimse::End violated(std::string how);
  std::size_t fragment_bytes() const { return association_->sendPDVLength & ~std::size_t{1}; }
  void abort();
  void abandon();

  const Options& options_;
  Deadline deadline_;
  std::optional<dimse::Connection> connection_;
  std::optional<dimse::Messages> messages_;
  dimse::TransportLayer layer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* association_ = nullptr;
  std::vector<char> buffer_;
  std::string early_;           // the answer to the image under way, where it came before its end
  Fault own_fault_;             // why we ended the association ourselves
  std::string violation_;       // how the target broke the protocol
  bool stray_data_set_ = false; // the last answer announced a data set
  Seconds answer_watch_;        // how long to look for an answer before the end of the next image
  convert::FrameCodec& codec_;
  const Tls& tls_;
  dimse::TlsStream* secure_ = nullptr;  // of the connection
  std::optional<dimse::TlsPeer> peer_;
};

}  // namespace mercure::storescu

#endif
