// One file to be sent, and the presentation contexts that a set of files needs.
#ifndef MERCURE_STORESCU_IMAGE_H
#define MERCURE_STORESCU_IMAGE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "storescu/outcome.h"
#include "storescu/syntaxes.h"

namespace mercure::storescu {

struct Image {
  std::string path;
  std::string sop_class;
  std::string sop_instance;
  std::string transfer_syntax;
  std::vector<std::string> syntaxes;  // in which it may go, best first
  std::uint64_t data_set_offset = 0;
  std::string problem;  // why it cannot be sent; empty when it can
  std::string data_digest = {};  // of the data set, taken at receipt; empty: it cannot be checked
  Cause cause = Cause::none;     // of the problem, where it is our copy: it is unreadable, or not what was received
  std::size_t fallbacks = 0;     // so many of the last syntaxes are for what cannot be had in one of the others
};

// A file of the list, with the digest from its tag line.
struct Listed {
  std::string path;
  std::string data_digest = {};  // empty: nothing
};

// What is proposed for one presentation context. Each pair has its own, so that the target answers for each: of several
// transfer syntaxes in one context it would choose one, and an image would be converted that it takes as it is.
struct Context {
  std::string sop_class;
  std::string transfer_syntax;
  bool operator==(const Context&) const = default;
};

// Images that follow one another and fit into one association.
struct Batch {
  std::vector<Context> contexts;
  std::vector<std::size_t> images;  // places in the list
  // For each of `images` the places in `contexts` of its syntaxes, in their order.
  std::vector<std::vector<std::size_t>> contexts_of_image;
};

// Reads what is needed of a file to send it to a target with this policy, and checks its meta header.
Image examine(Listed file, const SyntaxPolicy& policy);

// Cuts the images that can be sent into as few batches as the limit of 128 contexts allows (PS3.8 section 9.3.2.2).
std::vector<Batch> cut_into_batches(const std::vector<Image>& images);

}  // namespace mercure::storescu

#endif
