#include "receipt.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "digest.h"

namespace mercure::receipt {

namespace {

constexpr std::size_t kGroupLengthEnd = 144;  // preamble, prefix, and (0002,0000) with its value
constexpr std::size_t kLongestHeader = 64 << 10;
constexpr std::size_t kLook = 4096;  // what is left of a damaged receipt is within so many bytes
constexpr std::size_t kDigits = Digest::kDigits;
constexpr std::string_view kGroupLengthBegin("DICM\x02\0\0\0UL\x04\0", 12);
constexpr std::string_view kGroup("\x02\0", 2);
constexpr std::string_view kReceivedMember = ",\"received\":\"";
constexpr std::string_view kDataMember = ",\"data\":\"";
constexpr std::string_view kMetaMember = "\",\"meta\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr std::uint32_t kCreator = 0x0100;
constexpr std::array<std::string_view, 13> kLongVrs{"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"};

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t index = size; index-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[at + index]);
  return number;
}

// Fewer bytes where the file ends before, or at an error, which is then in `error`.
std::string read_start(int file, std::size_t size, int& error) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = pread(file, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

// Where the group ends by its length; nothing when the file does not begin so.
std::optional<std::size_t> end_of_header(std::string_view start) {
  if (start.size() < kGroupLengthEnd || start.substr(128, kGroupLengthBegin.size()) != kGroupLengthBegin) return std::nullopt;
  const std::size_t end = kGroupLengthEnd + number_at(start, kGroupLengthEnd - 4, 4);
  return end <= kLongestHeader ? std::optional(end) : std::nullopt;
}

struct Group {
  bool whole = false;   // elements of group 0002, which end where the group length says
  std::string creator;  // (0002,0100)
};

Group group_in(std::string_view header) {
  Group group;
  while (!header.empty()) {
    const bool is_long = header.size() >= 12 && std::find(kLongVrs.begin(), kLongVrs.end(), header.substr(4, 2)) != kLongVrs.end();
    const std::size_t begin = is_long ? 12 : 8;
    if (header.size() < begin || header.substr(0, 2) != kGroup) return {};
    const std::size_t length = is_long ? number_at(header, 8, 4) : number_at(header, 6, 2);
    if (length > header.size() - begin) return {};
    if (number_at(header, 2, 2) == kCreator) group.creator = header.substr(begin, length);
    header.remove_prefix(begin + length);
  }
  group.creator.resize(group.creator.find_last_not_of('\0') + 1);
  group.whole = true;
  return group;
}

bool has_mark(std::string_view start) {
  const std::string creator = std::string("\x02\0\0\x01UI\x2c\0", 8) + kImplementationClassUid;
  for (const std::string_view mark : {std::string_view("{\"v\":1,\"image\":\""), kDataMember, kMetaMember.substr(1), std::string_view(creator)}) {
    if (start.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

// Where the digits of both digests are.
struct Places {
  std::size_t data;
  std::size_t meta;
};

std::optional<Places> places_in(std::string_view header) {
  const std::size_t found = header.rfind(kDataMember);
  if (found == std::string_view::npos) return std::nullopt;
  const std::size_t data = found + kDataMember.size();
  const std::size_t meta = data + kDigits + kMetaMember.size();
  if (header.size() < meta + kDigits + kEnd.size() || header.substr(data + kDigits, kMetaMember.size()) != kMetaMember ||
      header.substr(meta + kDigits, kEnd.size()) != kEnd ||
      header.find_first_not_of(' ', meta + kDigits + kEnd.size()) != std::string_view::npos) {
    return std::nullopt;
  }
  return Places{data, meta};
}

// The members from `address` to `called` as they are written. No text in them can look like the end: quotes are escaped.
std::string origin_in(std::string_view header) {
  const std::size_t begin = header.find(",\"address\":\"");
  const std::size_t end = header.find(",\"association\":\"", begin == std::string_view::npos ? header.size() : begin);
  return end == std::string_view::npos ? std::string() : std::string(header.substr(begin, end - begin));
}

std::string digest_of(std::string header, const Places& places) {
  header.replace(places.data, kDigits, kDigits, '0');
  header.replace(places.meta, kDigits, kDigits, '0');
  return Digest::of(header);
}

}  // namespace

std::string last_members(std::string_view data_digest) {
  return std::string(kDataMember).append(data_digest).append(kMetaMember).append(kDigits, '0').append(kEnd);
}

void seal(std::string& header) {
  const auto places = places_in(header);
  if (places) header.replace(places->meta, kDigits, digest_of(header, *places));
}

void complete(std::string& header, std::string_view received, std::string_view data_digest) {
  const auto places = places_in(header);
  const std::size_t time = header.rfind(kReceivedMember);  // no text of the receipt looks like it: quotes are escaped
  if (!places || time == std::string::npos) return;
  header.replace(time + kReceivedMember.size(), received.size(), received);
  header.replace(places->data, kDigits, data_digest);
  seal(header);
}

Found read(int file) {
  int error = 0;
  std::string start = read_start(file, kLook, error);
  const auto end = end_of_header(start);
  if (end && *end > start.size() && error == 0) start = read_start(file, *end, error);
  if (error != 0) return {State::unreadable, error, {}, 0, {}};
  const bool there = end && *end <= start.size();
  const std::string_view header = there ? std::string_view(start).substr(0, *end) : std::string_view();
  const Group group = there ? group_in(header.substr(kGroupLengthEnd)) : Group{};
  if (group.whole && group.creator == kImplementationClassUid) {
    const auto places = places_in(header);
    if (!places || header.substr(places->meta, kDigits) != digest_of(std::string(header), *places)) return {State::altered, 0, {}, 0, {}};
    return {State::sound, 0, std::string(header.substr(places->data, kDigits)), header.size(), origin_in(header)};
  }
  // A group that goes on behind its end has lost its length, and one without an end may have lost more.
  const bool goes_on = there && start.compare(*end, kGroup.size(), kGroup) == 0;
  return {has_mark(group.whole && !goes_on ? header : std::string_view(start)) ? State::altered : State::none, 0, {}, 0, {}};
}

}  // namespace mercure::receipt
