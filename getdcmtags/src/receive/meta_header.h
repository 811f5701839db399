// The file meta information that goes before a data set (PS3.10 section 7.1), with the receipt in it (docs/reference/spool.md,
// "The meta header").
#ifndef MERCURE_RECEIVE_META_HEADER_H
#define MERCURE_RECEIVE_META_HEADER_H

#include <optional>
#include <string>

#include "digest.h"
#include "receipt.h"
#include "receive/sender.h"

namespace mercure::receive {

// SOP class and instance.
struct SopUids {
  std::string sop_class;
  std::string sop_instance;
};

struct MetaHeader {
  SopUids sop;
  std::string transfer_syntax;
  Sender sender;
  std::string image;                                          // id
  std::string received;                                       // Instant::text()
  std::optional<SopUids> command;                             // what the sender's command said, where the data set says otherwise
  std::string data_digest = std::string(Digest::kDigits, '0');  // zeros while the data set is under way
};

// Preamble, prefix and group 0002. An element without a value, or with one that its VR cannot hold, is left out; an AE title is
// cut. The length does not depend on `received` and `data_digest`.
std::string encode(const MetaHeader& header);

}  // namespace mercure::receive

#endif
