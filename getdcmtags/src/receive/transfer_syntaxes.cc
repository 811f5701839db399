#include "receive/transfer_syntaxes.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace mercure::receive {

namespace {

enum Rank : int { kCompressed, kUncompressed, kOther };

struct Ranked {
  std::string_view uid;  // and everything below it, unless an earlier row says otherwise
  Rank rank;
};

// The first row that fits counts. What no row names is private or newer than this program: kOther.
constexpr Ranked kRanks[] = {
    {"1.2.840.10008.1.2.4.94", kOther},      // JPIP Referenced: the pixels stay with the sender
    {"1.2.840.10008.1.2.4.95", kOther},      // JPIP Referenced Deflate
    {"1.2.840.10008.1.2.4.204", kOther},     // JPIP HTJ2K Referenced
    {"1.2.840.10008.1.2.4.205", kOther},     // JPIP HTJ2K Referenced Deflate
    {"1.2.840.10008.1.2.4", kCompressed},    // JPEG, JPEG-LS, JPEG 2000, HTJ2K, JPEG XL, MPEG, HEVC
    {"1.2.840.10008.1.2.5", kCompressed},    // RLE Lossless
    {"1.2.840.10008.1.2.8.1", kCompressed},  // Deflated Image Frame Compression
    {"1.2.840.10008.1.2.1", kUncompressed},  // Explicit VR Little Endian and its deflated form
    {"1.2.840.10008.1.2.2", kUncompressed},  // Explicit VR Big Endian
    {"1.2.840.10008.1.2.6", kOther},         // RFC 2557 and XML encodings, retired
    {"1.2.840.10008.1.2.7", kOther},         // SMPTE ST 2110: real time, nothing to keep
};

constexpr std::string_view kImplicitLittleEndian = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittleEndian = "1.2.840.10008.1.2.1";

Rank rank_of(std::string_view uid) {
  if (uid == kImplicitLittleEndian) return kUncompressed;
  const auto* found = std::find_if(std::begin(kRanks), std::end(kRanks), [&](const Ranked& row) {
    return uid.starts_with(row.uid) && (uid.size() == row.uid.size() || uid[row.uid.size()] == '.');
  });
  return found == std::end(kRanks) ? kOther : found->rank;
}

bool has_rank(const std::vector<std::string>& proposed, Rank rank) {
  return std::any_of(proposed.begin(), proposed.end(), [&](const std::string& syntax) { return rank_of(syntax) == rank; });
}

// By preference, where no compression is wanted.
int uncompressed_place_of(const std::string& syntax) {
  if (syntax == kImplicitLittleEndian || syntax == kExplicitLittleEndian) return 0;
  const Rank rank = rank_of(syntax);
  return rank == kUncompressed ? 1 : 2 + static_cast<int>(rank);
}

}  // namespace

bool has_compressed(const std::vector<std::string>& proposed) { return has_rank(proposed, kCompressed); }
bool has_uncompressed(const std::vector<std::string>& proposed) { return has_rank(proposed, kUncompressed); }

const std::string& uncompressed_transfer_syntax(const std::vector<std::string>& proposed) {
  return *std::min_element(proposed.begin(), proposed.end(), [](const std::string& left, const std::string& right) {
    return uncompressed_place_of(left) < uncompressed_place_of(right);
  });
}

const std::string& preferred_transfer_syntax(const std::vector<std::string>& proposed) {
  return *std::min_element(proposed.begin(), proposed.end(),
                           [](const std::string& left, const std::string& right) { return rank_of(left) < rank_of(right); });
}

}  // namespace mercure::receive
