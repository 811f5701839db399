#include "convert/data_set.h"

#include "convert/walk.h"
#include "tags/file_start.h"
#include "tags/inflate_source.h"

namespace mercure::convert {
namespace {

// As much as a receiver of ours takes of a deflated data set; a bomb ends there (tags::Limits).
constexpr std::uint64_t kMostInflated = 16ULL << 30;

}  // namespace

std::optional<Source> Source::of(std::string_view transfer_syntax) {
  if (const auto native = native_syntax(transfer_syntax)) return Source{*native, std::nullopt};
  const auto compressed = compressed_syntax(transfer_syntax);
  // All but the frames is in Explicit VR Little Endian (PS3.5 annex A.4).
  return compressed ? std::optional(Source{*native_syntax(kExplicitLittle), compressed}) : std::nullopt;
}

std::optional<Destination> Destination::of(std::string_view transfer_syntax) {
  if (transfer_syntax == kExplicitLittle) return Destination{Form::explicit_little};
  if (transfer_syntax == kImplicitLittle) return Destination{Form::implicit_little};
  const auto compressed = compressed_syntax(transfer_syntax);
  return compressed && compressed->is_made ? std::optional(Destination{Form::explicit_little, compressed}) : std::nullopt;
}

Conversion::Conversion(int descriptor, std::uint64_t offset, std::uint64_t end, const Source& from, const Destination& to,
                       FrameCodec* codec)
    : descriptor_(descriptor), offset_(offset), end_(end), from_(from), to_(to), codec_(codec) {}

bool Conversion::measure() {
  plan_ = {};
  return walk(nullptr);
}

bool Conversion::write(Sink& sink) { return walk(&sink); }

bool Conversion::walk(Sink* sink) {
  reason_.clear();
  tags::ByteBudget budget{UINT64_MAX};
  tags::FileSource file(descriptor_, end_, budget);
  if (!file.skip(offset_) || !file.may_hold(1)) {
    reason_ = "there is no data set";
    return false;
  }
  const auto walk_over = [&](tags::ByteSource& source) {
    // What the bytes say is read, as everywhere: some writers use the other VR encoding than they announce.
    tags::FileStart start;
    tags::pass_over_foreign(source, from_.native.encoding, tags::Limits(), start);
    if (start.failure != tags::Failure::none) {
      reason_ = start.reason;
      return false;
    }
    std::vector<std::string> problems;
    const auto encoding = tags::probe_encoding(source, from_.native.encoding, problems);
    Walk walk(source, {encoding, from_.native.big_endian_pixels, from_.compressed, codec_}, to_, plan_, sink);
    const bool done = walk.run();
    reason_ = walk.reason();
    encoding_failed_ = walk.encoding_failed();
    return done;
  };
  if (!from_.native.deflated) return walk_over(file);
  tags::InflateSource inflated(file, kMostInflated, budget);
  return walk_over(inflated);
}

}  // namespace mercure::convert
