#include "tags/tag_record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tags/file_start.h"
#include "tags/inflate_source.h"
#include "tags/record_builder.h"
#include "tags/tail.h"

namespace mercure::tags {
namespace {

constexpr Groups kHeaderGroups{0x0000, 0x7FDF};  // everything before pixel data
constexpr Groups kSopGroups{0x0000, 0x0008};

Result refused(std::string reason) {
  Result result;
  result.reason = std::move(reason);
  return result;
}

std::string system_reason(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// Both are in order, and what is in `more` comes later.
void join(std::vector<Range>& ranges, std::vector<Range> more) {
  if (!ranges.empty() && !more.empty() && ranges.back().end == more.front().begin) {
    more.front().begin = ranges.back().begin;
    ranges.pop_back();
  }
  ranges.insert(ranges.end(), more.begin(), more.end());
}

// The header of `source`, and where all of it is wanted, a look at what follows.
// Readers behind us recurse, and would die of sequences that are nested without end behind the pixel data as before them.
void read_data_set(RecordBuilder& builder, ByteSource& source, Encoding encoding, const Limits& limits, Groups wanted, Result& result) {
  result.ok = builder.add_data_set(source, encoding, wanted);
  result.reason = builder.reason();
  if (!result.ok || wanted.last != kHeaderGroups.last) return;
  const Tail tail = read_tail(source, encoding, limits, builder.pixels(), builder.header().transfer_syntax);
  result.reason = tail.too_deep;
  result.ok = result.reason.empty();
  // Where a limit of ours has ended the header, the look began amid an element or an item.
  if (!builder.ended_early()) result.shortage = tail.shortage;
}

Result read(FileSource& file, ByteBudget& budget, const std::vector<Extra>& extras, const Limits& limits,
            Groups wanted, const std::string& character_set) {
  FileStart start = read_file_start(file, limits);
  wanted.directory_too = !start.ours;
  if (!start.ok) return refused(start.reason);
  if (!file.may_hold(1)) return refused("there is no data set after the meta header");

  RecordBuilder builder(limits, character_set);
  builder.add_start(start);
  Result result;
  if (start.deflated) {
    InflateSource inflated(file, limits.inflated_bytes, budget);
    pass_over_foreign(inflated, start.encoding, limits, start);
    if (start.failure != Failure::none) return refused(start.reason);
    std::vector<std::string> problems;
    const Encoding encoding = probe_encoding(inflated, start.encoding, problems);
    read_data_set(builder, inflated, encoding, limits, wanted, result);
  } else {
    read_data_set(builder, file, start.encoding, limits, wanted, result);
  }
  result.header = builder.header();
  result.header.data_set_offset = start.data_set_offset;
  result.foreign = start.foreign.ranges;
  // Those within a deflated data set have no place in the file.
  if (!start.deflated) join(result.foreign, builder.foreign().ranges);
  result.json = result.ok ? builder.finish(extras) : builder.finish_at_fault(result.reason, extras);
  return result;
}

Result read_open(int descriptor, const std::vector<Extra>& extras, const Limits& limits, Groups wanted,
                 const std::string& character_set) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return refused(system_reason("cannot be read"));
  if (!S_ISREG(status.st_mode)) return refused("not a regular file");
  ByteBudget budget{limits.header_bytes};
  FileSource file(descriptor, static_cast<std::uint64_t>(status.st_size), budget);
  return read(file, budget, extras, limits, wanted, character_set);
}

Result read_path(const std::string& path, const std::vector<Extra>& extras, const Limits& limits,
                 Groups wanted, const std::string& character_set = {}) {
  if (path.find('\0') != std::string::npos) return refused("the path holds NUL");
  // Without O_NONBLOCK a pipe among the files would wait for its writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return refused(system_reason("cannot be opened"));
  Result result = read_open(descriptor, extras, limits, wanted, character_set);
  close(descriptor);
  return result;
}

}  // namespace

Result read_file(const std::string& path, const std::vector<Extra>& extras, const Limits& limits, const std::string& character_set) {
  return read_path(path, extras, limits, kHeaderGroups, character_set);
}

Result read_descriptor(int descriptor, const std::vector<Extra>& extras, const Limits& limits, const std::string& character_set) {
  return read_open(descriptor, extras, limits, kHeaderGroups, character_set);
}

Result read_sop(const std::string& path, const Limits& limits) { return read_path(path, {}, limits, kSopGroups); }

}  // namespace mercure::tags
