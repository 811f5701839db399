#include "storescu/image.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "descriptor.h"
#include "receipt.h"
#include "storescu/data_set_reader.h"
#include "tags/tag_record.h"

namespace mercure::storescu {
namespace {

constexpr std::size_t kMostContexts = 128;  // identifiers are the odd numbers from 1 to 255
constexpr std::size_t kLongestUid = 64;

std::string unusable(const tags::Header& header) {
  if (header.sop_class.empty()) return "it names no SOP class";
  if (header.sop_instance.empty()) return "it names no SOP instance";
  for (const auto* uid : {&header.sop_class, &header.sop_instance, &header.transfer_syntax}) {
    const bool printable = std::all_of(uid->begin(), uid->end(), [](char c) { return c > ' ' && c <= '~'; });
    if (uid->size() > kLongestUid || !printable) return "a UID in it is longer than 64 characters or has strange ones";
  }
  return {};
}

std::size_t missing_in(const Batch& batch, const Image& image) {
  const auto is_missing = [&](const std::string& syntax) {
    const Context context{image.sop_class, syntax};
    return std::find(batch.contexts.begin(), batch.contexts.end(), context) == batch.contexts.end();
  };
  return static_cast<std::size_t>(std::count_if(image.syntaxes.begin(), image.syntaxes.end(), is_missing));
}

// Adds the context where it is not there yet.
std::size_t place_of(const Context& context, std::vector<Context>& contexts) {
  const auto found = std::find(contexts.begin(), contexts.end(), context);
  const auto place = static_cast<std::size_t>(found - contexts.begin());
  if (found == contexts.end()) contexts.push_back(context);
  return place;
}

// A header that is as it was written says what to expect of the data set. Where the list says it, too, it must be the same.
void check_header(Image& image, int file, const std::string& listed) {
  const auto found = receipt::read(file);
  image.data_digest = found.data_digest;
  if (found.state == receipt::State::unreadable) {
    image.cause = Cause::local;
    image.problem = std::string(std::strerror(found.error)) + " while the meta header was read";
    return;
  }
  const bool differs = !listed.empty() && listed != found.data_digest;
  if (found.state != receipt::State::altered && !differs) return;
  image.cause = Cause::altered;
  image.problem = "the meta header is not as it was written at receipt";
  if (found.state == receipt::State::sound) image.problem += ", or of another image";
}

}  // namespace

Image examine(Listed listed, const SyntaxPolicy& policy) {
  Image image;
  image.path = std::move(listed.path);
  const auto result = tags::read_sop(image.path);
  image.problem = result.ok || policy.unreadable_too ? unusable(result.header) : result.reason;
  image.sop_class = result.header.sop_class;
  image.sop_instance = result.header.sop_instance;
  image.transfer_syntax = result.header.transfer_syntax;
  image.data_set_offset = result.header.data_set_offset;
  image.syntaxes = syntaxes_for(image.transfer_syntax, policy);
  const auto fallbacks = fallbacks_for(image.transfer_syntax, image.syntaxes);
  image.fallbacks = fallbacks.size();
  image.syntaxes.insert(image.syntaxes.end(), fallbacks.begin(), fallbacks.end());
  const Descriptor file(::open(image.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return image;
  const bool is_unusable = !image.problem.empty();
  check_header(image, file.get(), listed.data_digest);
  if (!is_unusable || image.cause != Cause::none) return image;
  if (const Fault fault = fault_of(file.get(), image)) {
    image.cause = fault.cause;
    image.problem = fault.text;
  }
  return image;
}

std::vector<Batch> cut_into_batches(const std::vector<Image>& images) {
  std::vector<Batch> batches;
  for (std::size_t place = 0; place < images.size(); ++place) {
    const Image& image = images[place];
    if (!image.problem.empty() || image.syntaxes.empty()) continue;
    if (batches.empty() || batches.back().contexts.size() + missing_in(batches.back(), image) > kMostContexts) {
      batches.emplace_back();
    }
    Batch& batch = batches.back();
    batch.images.push_back(place);
    batch.contexts_of_image.emplace_back();
    for (const auto& syntax : image.syntaxes) {
      batch.contexts_of_image.back().push_back(place_of({image.sop_class, syntax}, batch.contexts));
    }
  }
  return batches;
}

}  // namespace mercure::storescu
