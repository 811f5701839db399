#include "dimse/pdus.h"

#include <algorithm>
#include <cstring>

namespace mercure::dimse {

namespace {

constexpr std::size_t kHeaderBytes = 6;
constexpr std::size_t kValueHeaderBytes = 6;  // of a presentation data value: length, context, control

// Read beyond what is awaited: a whole command, or the header of the next PDU, but little to move.
constexpr std::size_t kReadAheadBytes = 4096;

// The longest PDU that is no data. Releases and aborts have 4 bytes.
constexpr std::size_t kMaxOtherBytes = 64 << 10;

std::size_t length_at(const char* bytes) {
  std::size_t length = 0;
  for (int index = 0; index < 4; ++index) length = length << 8 | static_cast<std::uint8_t>(bytes[index]);
  return length;
}

void add_length(std::string& bytes, std::size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 0xff);
}

std::string header(PduType type, std::size_t length) {
  std::string bytes = {static_cast<char>(type), '\0'};
  add_length(bytes, length);
  return bytes;
}

}  // namespace

PduReader::PduReader(Connection& connection, std::size_t max_pdu)
    : connection_(connection),
      max_pdu_(max_pdu),
      buffer_(std::make_unique_for_overwrite<char[]>(kHeaderBytes + std::max(max_pdu, kMaxOtherBytes) + kReadAheadBytes)) {}

PduReader::Outcome PduReader::next(Pdu& pdu) {
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (!fill(kHeaderBytes)) return Outcome::no_more;
  pdu.type = static_cast<PduType>(buffer_[0]);
  const std::size_t length = length_at(buffer_.get() + 2);
  if (length > (pdu.type == PduType::data ? max_pdu_ : kMaxOtherBytes)) return Outcome::too_long;
  const std::size_t whole = kHeaderBytes + length;
  if (!fill(whole)) return Outcome::no_more;
  pdu.body = std::string_view(buffer_.get() + kHeaderBytes, length);
  begin_ = whole;
  return Outcome::pdu;
}

// Reads until `wanted` bytes are there. What comes after them costs no call of its own.
bool PduReader::fill(std::size_t wanted) {
  while (end_ < wanted) {
    const ssize_t count = connection_.read(buffer_.get() + end_, wanted + kReadAheadBytes - end_);
    if (count <= 0) return false;
    end_ += static_cast<std::size_t>(count);
  }
  return true;
}

std::string data_pdu_header(std::uint8_t context, bool is_command, bool is_last, std::size_t size) {
  std::string bytes = header(PduType::data, kValueHeaderBytes + size);
  add_length(bytes, size + 2);
  bytes += static_cast<char>(context);
  bytes += static_cast<char>((is_command ? 1 : 0) | (is_last ? 2 : 0));
  return bytes;
}

std::string data_pdus(std::uint8_t context, std::string_view command, std::size_t peer_max_pdu) {
  // Even, as all values must be (PS3.8 annex D.1.1), and at least enough to get on.
  const std::size_t room =
      peer_max_pdu == 0 ? command.size() : std::max<std::size_t>(peer_max_pdu, kValueHeaderBytes + 2) - kValueHeaderBytes;
  std::string bytes;
  do {
    const std::string_view piece = command.substr(0, std::max<std::size_t>(room & ~std::size_t{1}, 2));
    command.remove_prefix(piece.size());
    bytes += data_pdu_header(context, true, command.empty(), piece.size());
    bytes += piece;
  } while (!command.empty());
  return bytes;
}

std::string release_request() { return header(PduType::release_request, 4) + std::string(4, '\0'); }

std::string release_response() { return header(PduType::release_response, 4) + std::string(4, '\0'); }

std::string abort_pdu(std::uint8_t source, std::uint8_t reason) {
  return header(PduType::abort, 4) + std::string(2, '\0') + static_cast<char>(source) + static_cast<char>(reason);
}

}  // namespace mercure::dimse
