#include "tags/file_start.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "receipt.h"
#include "tags/byte_order.h"

namespace mercure::tags {
namespace {

constexpr std::size_t kPreamble = 128;
constexpr std::string_view kMagic = "DICM";
constexpr std::uint16_t kMetaGroup = 0x0002;
constexpr std::size_t kMetaValueBytes = 1024;
constexpr Tag kGroupLength{0x0002, 0x0000};
constexpr Tag kTransferSyntax{0x0002, 0x0010};
constexpr Tag kImplementationClass{0x0002, 0x0012};

constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";
constexpr std::string_view kExplicitBig = "1.2.840.10008.1.2.2";

struct Syntax {
  std::string_view uid;
  Encoding encoding;
  bool deflated;
};

// Every other transfer syntax, also one that is not known, has its header in explicit VR little endian (PS3.5
// section 10 and annex A): all encapsulated ones, and private ones by the rule for new ones.
constexpr std::array<Syntax, 6> kSyntaxes{{
    {kImplicitLittle, {false, false}, false},
    {kExplicitBig, {true, true}, false},
    {"1.2.840.10008.1.2.1.99", {true, false}, true},
    {"1.2.840.10008.1.2.4.95", {true, false}, true},   // JPIP referenced deflate
    {"1.2.840.10008.1.2.4.205", {true, false}, true},  // JPIP HTJ2K referenced deflate
    {"1.2.840.113619.5.2", {false, false}, false},     // GE private: only its pixel data are big endian
}};

Syntax syntax_of(std::string_view uid) {
  const auto* found = std::find_if(kSyntaxes.begin(), kSyntaxes.end(), [&](const auto& it) { return it.uid == uid; });
  return found != kSyntaxes.end() ? *found : Syntax{uid, {true, false}, false};
}

std::string_view uid_of(Encoding encoding) {
  if (!encoding.explicit_vr) return kImplicitLittle;
  return encoding.big_endian ? kExplicitBig : kExplicitLittle;
}

bool starts_with(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

bool has_known_vr(std::span<const std::uint8_t> bytes) {
  return vr_from(static_cast<char>(bytes[4]), static_cast<char>(bytes[5])).has_value();
}

// How a first element without any announcement is encoded; nothing if it does not look like one.
std::optional<Encoding> guess_encoding(FileSource& source) {
  constexpr std::uint16_t kLastLikelyGroup = 0x0020;
  const auto bytes = source.peek(8);
  if (bytes.size() < 8) return std::nullopt;
  const auto little = number_at<std::uint16_t>(bytes.data(), false);
  const auto big = number_at<std::uint16_t>(bytes.data(), true);
  const bool big_endian = big < little;
  const auto group = std::min(little, big);
  if (group == 0 || group > kLastLikelyGroup) return std::nullopt;
  if (has_known_vr(bytes)) return Encoding{true, big_endian};
  const auto length = number_at<std::uint32_t>(bytes.data() + 4, false);
  const bool fits = length == UINT32_MAX || source.may_hold(8 + std::uint64_t{length});
  return !big_endian && fits ? std::optional(Encoding{false, false}) : std::nullopt;
}

void skip_preamble(ByteSource& source) {
  const auto bytes = source.peek(kPreamble + kMagic.size());
  if (starts_with(bytes, kPreamble, kMagic)) {
    source.consume(kPreamble + kMagic.size());
  } else if (starts_with(bytes, 0, kMagic)) {
    source.consume(kMagic.size());
  }
}

// Group 0002 as sent. The group length is believed where nothing else tells the end, before a deflated data set, and in a
// header of our own: a group 0002 that follows it is in the data set, and may say what its sender likes. So the first
// transfer syntax is the one that counts.
void read_meta(FileSource& source, const Limits& limits, FileStart& start) {
  ElementReader reader(source, Encoding{true, false}, {kMetaGroup, kMetaGroup, true}, limits);
  std::uint64_t end = UINT64_MAX;
  while (source.position() != end || !(start.ours || syntax_of(start.transfer_syntax).deflated)) {
    const Step step = reader.next();
    if (step == Step::end) return;
    if (step == Step::element) {
      MetaElement meta{reader.element(), {}};
      if (meta.element.length <= kMetaValueBytes || meta.element.tag == kTransferSyntax) {
        reader.read_value(kMetaValueBytes, meta.value);
      }
      if (meta.element.tag == kGroupLength && meta.value.size() == 4) {
        end = source.position() + number_at<std::uint32_t>(reinterpret_cast<const std::uint8_t*>(meta.value.data()),
                                                           false);
      }
      if (meta.element.tag == kTransferSyntax && start.transfer_syntax.empty()) start.transfer_syntax = trimmed_uid(meta.value);
      if (meta.element.tag == kImplementationClass) start.ours = trimmed_uid(meta.value) == kImplementationClassUid;
      start.meta.push_back(std::move(meta));
    }
    if (reader.failure() != Failure::none) {
      start.failure = reader.failure();
      start.reason = "meta header: " + reader.reason();
      return;
    }
  }
}

// Whether what comes next is of a group that no data set has, written in little endian as commands and meta headers are.
bool foreign_is_next(ByteSource& source, Encoding encoding, bool deflated) {
  const auto bytes = source.peek(8);
  if (bytes.size() < 8 || !is_foreign(number_at<std::uint16_t>(bytes.data(), false))) return false;
  if (number_at<std::uint64_t>(bytes.data(), false) == 0) return false;
  if (encoding.big_endian && number_at<std::uint16_t>(bytes.data(), false) == 0) return false;
  if (has_known_vr(bytes)) return true;
  return !deflated && source.may_hold(8 + std::uint64_t{number_at<std::uint32_t>(bytes.data() + 4, false)});
}

void pass_over(ByteSource& source, Encoding encoding, bool deflated, const Limits& limits, FileStart& start) {
  skip_preamble(source);
  while (foreign_is_next(source, encoding, deflated)) {
    const auto group = number_at<std::uint16_t>(source.peek(8).data(), false);
    ElementReader reader(source, Encoding{true, false}, {group, group}, limits);
    while (reader.next() != Step::end) {
      if (reader.failure() == Failure::none) continue;
      start.failure = reader.failure();
      start.reason = "before the data set: " + reader.reason();
      return;
    }
    start.foreign.groups.push_back(group);
  }
}

// In a file of ours alone: there the meta header is the receiver's, and what follows it is the sender's.
void pass_over_foreign_in_file(FileSource& source, const Limits& limits, FileStart& start) {
  if (!start.ours) return;
  const std::uint64_t begin = source.position();
  const Syntax syntax = syntax_of(start.transfer_syntax);
  pass_over(source, syntax.encoding, syntax.deflated, limits, start);
  if (start.failure == Failure::none && source.position() > begin) start.foreign.ranges.push_back({begin, source.position()});
}

}  // namespace

void pass_over_foreign(ByteSource& source, Encoding encoding, const Limits& limits, FileStart& start) {
  pass_over(source, encoding, false, limits, start);
}

std::string trimmed_uid(std::string_view value) {
  const auto first = value.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  value = value.substr(0, value.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return std::string(value.substr(std::min(first, value.size())));
}

Encoding probe_encoding(ByteSource& data_set, Encoding promised, std::vector<std::string>& problems) {
  const auto bytes = data_set.peek(8);
  if (bytes.size() < 8 || promised.explicit_vr == has_known_vr(bytes)) return promised;
  if (promised.explicit_vr) {
    const auto little = number_at<std::uint32_t>(bytes.data() + 4, false);
    if (promised.big_endian || !data_set.may_hold(8 + std::uint64_t{little})) return promised;
  }
  problems.push_back(promised.explicit_vr ? "the data set has no VRs, against its transfer syntax"
                                          : "the data set has VRs, against its transfer syntax");
  return {!promised.explicit_vr, false};
}

FileStart read_file_start(FileSource& source, const Limits& limits) {
  FileStart start;
  skip_preamble(source);
  const std::uint64_t after_preamble = source.position();
  const auto bytes = source.peek(8);
  const bool has_meta = bytes.size() == 8 && number_at<std::uint16_t>(bytes.data(), false) == kMetaGroup;
  if (has_meta) read_meta(source, limits, start);
  start.data_set_offset = source.position();
  if (start.failure == Failure::none) pass_over_foreign_in_file(source, limits, start);
  if (start.failure != Failure::none) return start;

  if (!start.transfer_syntax.empty()) {
    const Syntax syntax = syntax_of(start.transfer_syntax);
    start.deflated = syntax.deflated;
    start.encoding = syntax.deflated ? syntax.encoding : probe_encoding(source, syntax.encoding, start.problems);
    start.ok = true;
    return start;
  }
  const auto guess = guess_encoding(source);
  if (!guess) {
    start.failure = source.size() == 0 ? Failure::truncated : Failure::damaged;
    const bool announced = after_preamble > 0 || has_meta;
    start.reason = source.size() == 0 ? "the file is empty"
                   : announced        ? "no data set after the meta header"
                                      : "not a DICOM file";
    return start;
  }
  start.encoding = *guess;
  start.transfer_syntax = uid_of(*guess);
  start.problems.push_back("the transfer syntax is not named; read as " + start.transfer_syntax);
  start.ok = true;
  return start;
}

}  // namespace mercure::tags
