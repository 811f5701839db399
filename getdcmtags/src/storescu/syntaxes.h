// In which transfer syntaxes an image may go to a target (docs/reference/targets.md, transfer_syntaxes).
#ifndef MERCURE_STORESCU_SYNTAXES_H
#define MERCURE_STORESCU_SYNTAXES_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mercure::storescu {

struct SyntaxPolicy {
  enum class Kind { as_needed, as_received, uncompressed, list };
  Kind kind = Kind::as_needed;
  std::vector<std::string> list;  // in order of preference
  bool unreadable_too = false;    // a data set that cannot be read goes by what its meta header says

  // `as-needed`, `as-received`, `as-it-is` (as-received, and what cannot be read too), `uncompressed`, or UIDs with commas between them; nothing for anything else.
  static std::optional<SyntaxPolicy> parse(std::string_view text);
};

// The syntaxes to propose for an image that is kept in `own`, best first; empty where none can be had. An image goes as
// it is wherever that is allowed and taken: every other syntax is a conversion (PS3.5 section 10.1).
std::vector<std::string> syntaxes_for(const std::string& own, const SyntaxPolicy& policy);

// The syntaxes to propose on top of these: for an image that cannot be compressed as a list asks for it. A document has no
// pixels, a segmentation one bit a sample, and both are wanted all the same.
std::vector<std::string> fallbacks_for(const std::string& own, const std::vector<std::string>& syntaxes);

}  // namespace mercure::storescu

#endif
