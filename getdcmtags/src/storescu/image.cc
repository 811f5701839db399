#include "storescu/image.h"

#include <algorithm>
#include <utility>

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

}  // namespace

Image examine(std::string path) {
  Image image;
  image.path = std::move(path);
  const auto result = tags::read_sop(image.path);
  image.problem = result.ok ? unusable(result.header) : result.reason;
  image.sop_class = result.header.sop_class;
  image.sop_instance = result.header.sop_instance;
  image.transfer_syntax = result.header.transfer_syntax;
  image.data_set_offset = result.header.data_set_offset;
  return image;
}

std::vector<Batch> cut_into_batches(const std::vector<Image>& images) {
  std::vector<Batch> batches;
  for (std::size_t place = 0; place < images.size(); ++place) {
    if (!images[place].problem.empty()) continue;
    const Context context{images[place].sop_class, images[place].transfer_syntax};
    const auto is_there = [&](const Batch& batch) {
      return std::find(batch.contexts.begin(), batch.contexts.end(), context) != batch.contexts.end();
    };
    const bool full = batches.empty() || batches.back().contexts.size() == kMostContexts;
    if (full && (batches.empty() || !is_there(batches.back()))) batches.emplace_back();
    Batch& batch = batches.back();
    if (!is_there(batch)) batch.contexts.push_back(context);
    const auto found = std::find(batch.contexts.begin(), batch.contexts.end(), context);
    batch.images.push_back(place);
    batch.context_of_image.push_back(static_cast<std::size_t>(found - batch.contexts.begin()));
  }
  return batches;
}

}  // namespace mercure::storescu
