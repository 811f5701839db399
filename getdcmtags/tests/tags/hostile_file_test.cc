// Files made to hurt: deep, wide, huge and inflating. Each must end soon and in little memory (LESSONS 32).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>

#include "tags/dicom_bytes.h"

namespace {

using namespace mercure::testing;
using nlohmann::json;
using mercure::tags::Limits;

constexpr std::uint32_t kSequence = 0x00081115;

// Generous: these take milliseconds, under sanitizers on a busy machine a few hundred.
constexpr double kSoon = 10.0;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::uint64_t bytes_read_so_far() {
  std::ifstream io("/proc/self/io");
  std::string label;
  std::uint64_t value = 0;
  while (io >> label >> value && label != "rchar:") {}
  return value;
}

std::string nested_open(unsigned depth, std::string_view vr) {
  std::string nested;
  const bool is_implicit = vr == "UN";  // inside of UN everything is implicit
  for (unsigned i = 0; i < depth; ++i) {
    nested += is_implicit && i > 0 ? implicit_header(kSequence, kUndefined) : explicit_header(kSequence, vr, kUndefined);
    nested += implicit_header(0xFFFEE000, kUndefined);
  }
  for (unsigned i = 0; i < depth; ++i) nested += implicit_header(0xFFFEE00D, 0) + implicit_header(0xFFFEE0DD, 0);
  return nested;
}

std::string nested_known(unsigned depth) {
  constexpr unsigned kPerLevel = 20;  // 12 of the sequence, 8 of the item
  std::string nested;
  for (unsigned left = depth; left > 0; --left) {
    nested += explicit_header(kSequence, "SQ", left * kPerLevel - 12);
    nested += implicit_header(0xFFFEE000, (left - 1) * kPerLevel);
  }
  return nested;
}

std::string nested_un_known(unsigned depth) {
  constexpr unsigned kPerLevel = 16;
  std::string nested = explicit_header(kSequence, "UN", depth * kPerLevel - 8);
  for (unsigned left = depth; left > 0; --left) {
    nested += implicit_header(0xFFFEE000, (left - 1) * kPerLevel);
    if (left > 1) nested += implicit_header(kSequence, (left - 1) * kPerLevel - 8);
  }
  return nested;
}

TEST(DeepNesting, BehindThePixelDataIsRefusedToo) {
  const std::string pixels = explicit_element(0x7FE00010, "OW", std::string(100'000, 'p'));
  const std::string fragments = explicit_header(0x7FE00010, "OB", kUndefined) + open_sequence(item("") + item(std::string(50'000, 'p')));
  const std::string signatures = "\xFA\xFF\xFA\xFF";
  for (const std::string& before : {std::string(), pixels, fragments}) {
    for (const auto& nested : {nested_open(50'000, "SQ"), nested_open(50'000, "UN")}) {
      const auto result = read(dicom_file(identity() + before + signatures + nested.substr(4)));
      EXPECT_FALSE(result.ok);
      EXPECT_EQ(result.reason, "sequences are nested more than 1000 deep");
    }
    EXPECT_TRUE(read(dicom_file(identity() + before + signatures + nested_open(900, "SQ").substr(4))).ok);
  }
  // What else is wrong there is no matter of the header.
  EXPECT_TRUE(read(dicom_file(identity() + pixels.substr(0, 1'000))).ok);
  EXPECT_TRUE(read(dicom_file(identity() + fragments.substr(0, 1'000))).ok);
  EXPECT_TRUE(read(dicom_file(identity() + pixels + "\1\2\3\4\5\6\7\x08\x09")).ok);
  EXPECT_TRUE(read(dicom_file(identity() + pixels + std::string(300, '\0'))).ok);
}

TEST(Nesting, OfTensOfThousandsOfLevelsIsRefused) {
  for (const auto& nested : {nested_open(50'000, "SQ"), nested_open(50'000, "UN"), nested_known(50'000), nested_un_known(50'000)}) {
    const Stopwatch stopwatch;
    const auto result = read(dicom_file(identity() + nested));
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.reason, "sequences are nested more than 1000 deep");
    EXPECT_EQ(result.header.sop_instance, "1.2.3.4");
    EXPECT_LT(stopwatch.seconds(), kSoon);
  }
}

TEST(Nesting, IsCountedInEveryEncoding) {
  for (const auto& nested : {nested_open(1'000, "SQ"), nested_open(1'000, "UN"), nested_known(1'000), nested_un_known(1'000)}) {
    EXPECT_TRUE(read(dicom_file(identity() + nested)).ok);
  }
  for (const auto& nested : {nested_open(1'001, "SQ"), nested_open(1'001, "UN"), nested_known(1'001), nested_un_known(1'001)}) {
    EXPECT_FALSE(read(dicom_file(identity() + nested)).ok);
  }
}

TEST(Nesting, OfMoreThan64LevelsIsNotShown) {
  const json record = record_of_data_set(identity() + nested_open(70, "SQ") + explicit_element(0x00100020, "LO", "after"));
  const json* level = &record;
  unsigned depth = 0;
  for (; level->contains("ReferencedSeriesSequence") && !level->at("ReferencedSeriesSequence").empty(); ++depth) {
    level = &level->at("ReferencedSeriesSequence")[0];
  }
  EXPECT_EQ(depth, 64U);
  EXPECT_EQ(level->at("ReferencedSeriesSequence"), json::array());
  ASSERT_EQ(record["DecodingProblems"].size(), 2U);  // and PatientID for the second time
  EXPECT_NE(record["DecodingProblems"][0].get<std::string>().find("nested too deep to be shown"), std::string::npos);
}

TEST(Elements, AHundredThousandOfThemAreShown) {
  std::string data_set = identity() + explicit_element(0x00290010, "LO", "ACME");
  for (std::uint32_t group = 0x0031; group < 0x0031 + 2 * 10; group += 2) {
    for (std::uint32_t element = 0x1000; element < 0x1000 + 10'000; ++element) {
      data_set += explicit_element((group << 16) | element, "CS", "a ");
    }
  }
  const Stopwatch stopwatch;
  const json record = record_of_data_set(data_set);
  EXPECT_GT(record.size(), 100'000U);
  EXPECT_FALSE(record.contains("DecodingProblems"));
  EXPECT_LT(stopwatch.seconds(), kSoon);
}

TEST(Elements, OutOfOrderCostNoMoreTime) {
  std::string data_set;
  for (std::uint32_t element = 0xFFFF; element > 0x1000; --element) data_set += explicit_element(0x00310000 | element, "CS", "a ");
  const Stopwatch stopwatch;
  EXPECT_GT(record_of_data_set(data_set).size(), 0xE000U);
  EXPECT_LT(stopwatch.seconds(), kSoon);
}

TEST(Fragments, AMillionOfThemCostLittle) {
  std::string fragments;
  for (int i = 0; i < 1'000'000; ++i) fragments += item("");
  const std::string end = implicit_header(0xFFFEE0DD, 0);
  for (const auto& [tag, vr] : {std::pair{0x00420011U, "OB"}, std::pair{0x7FE00010U, "OB"}, std::pair{kSequence, "SQ"}}) {
    const Stopwatch stopwatch;
    const auto result = read(dicom_file(identity() + explicit_header(tag, vr, kUndefined) + fragments + end));
    EXPECT_TRUE(result.ok) << result.reason;
    EXPECT_LE(result.json.size(), Limits().record_bytes + 4'096);
    EXPECT_LT(stopwatch.seconds(), kSoon);
  }
}

TEST(Length, OfFourGigabytesInAKilobyteIsTruncation) {
  const std::string rest(900, '\0');
  for (const std::string& bulk : {explicit_header(0x00420011, "OB", 0xFFFFFFF0) + rest,
                                  explicit_header(kSequence, "SQ", kUndefined) + implicit_header(0xFFFEE000, 0xFFFFFFF0) + rest,
                                  explicit_header(0x00204000, "UT", 0xFFFFFFFE) + rest}) {
    const Stopwatch stopwatch;
    const auto result = read(dicom_file(identity() + bulk));
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.reason.find("the file ends in the middle"), 0U) << result.reason;
    EXPECT_LT(stopwatch.seconds(), kSoon);
  }
}

TEST(Problems, AreNotListedWithoutEnd) {
  std::string items;
  for (int i = 0; i < 1'000; ++i) {
    items += item(explicit_element(0x00290000 | static_cast<std::uint32_t>(0x1000 + i), "US", "odd"));
  }
  const json record = record_of_data_set(explicit_header(kSequence, "SQ", kUndefined) + open_sequence(items));
  EXPECT_EQ(record["DecodingProblems"].size(), 101U);
  EXPECT_EQ(record["DecodingProblems"][100], "and more");
}

TEST(HugeFile, IsReadByItsHeaderAlone) {
  const std::string start = dicom_file(identity() + explicit_header(0x00420011, "OB", 0x40000000));
  const std::string after = explicit_element(0x00420012, "LO", "application/pdf ") + explicit_header(0x7FE00010, "OW", 0xFFFFFFFE);
  MemoryFile file(start);
  file.grow_to(start.size() + 0x40000000);
  lseek(file.descriptor(), 0, SEEK_END);
  ASSERT_EQ(write(file.descriptor(), after.data(), after.size()), static_cast<ssize_t>(after.size()));
  file.grow_to(6ULL << 30);

  const Stopwatch stopwatch;
  const std::uint64_t before = bytes_read_so_far();
  const auto result = mercure::tags::read_descriptor(file.descriptor());
  EXPECT_LT(bytes_read_so_far() - before, 200'000U);
  EXPECT_LT(stopwatch.seconds(), kSoon);
  ASSERT_TRUE(result.ok) << result.reason;
  EXPECT_EQ(json::parse(result.json)["MIMETypeOfEncapsulatedDocument"], "application/pdf");
}

std::string deflated_zeros(const std::string& start, std::uint64_t zeros) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out;
  std::string room(1 << 20, '\0');
  const std::string block(1 << 20, '\0');
  const auto feed = [&](std::string_view data, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = static_cast<uInt>(room.size());
      deflate(&stream, flush);
      out.append(room, 0, room.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  feed(start, Z_NO_FLUSH);
  for (std::uint64_t done = 0; done < zeros; done += block.size()) feed(block, Z_NO_FLUSH);
  feed({}, Z_FINISH);
  deflateEnd(&stream);
  return out;
}

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(DeflateBomb, EatsNeitherMemoryNorTime) {
  constexpr std::uint64_t kZeros = 256ULL << 20;
  const std::string bomb = dicom_file(
      deflated_zeros(identity() + explicit_header(0x00420011, "OB", static_cast<std::uint32_t>(kZeros)), kZeros), kDeflated);
  ASSERT_LT(bomb.size(), 4U << 20);
  const long before = peak_kilobytes();
  const Stopwatch stopwatch;
  const auto result = read(bomb);
  EXPECT_TRUE(result.ok) << result.reason;
  EXPECT_LT(peak_kilobytes() - before, 16 * 1024);
  EXPECT_LT(stopwatch.seconds(), kSoon);
}

TEST(DeflateBomb, IsCutAtTheLimitOrRefusedBeforeItsIdentity) {
  Limits limits;
  limits.inflated_bytes = 1 << 20;
  const std::string bulk = explicit_header(0x00420011, "OB", 2 << 20);
  const json record = record_of(dicom_file(deflated_zeros(identity() + bulk, 2 << 20), kDeflated), limits);
  EXPECT_EQ(record["SOPInstanceUID"], "1.2.3.4");
  EXPECT_EQ(record["DecodingProblems"],
            json::array({"the deflated data set grows beyond the limit; left out after 0042,0011"}));

  const auto refused = read(dicom_file(deflated_zeros(explicit_header(0x00090011, "OB", 2 << 20), 2 << 20), kDeflated), limits);
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.reason, "the deflated data set grows beyond the limit");
}

TEST(DeflatedGarbage, IsDamage) {
  const auto result = read(dicom_file("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", kDeflated));
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.reason, "the deflated data set is damaged");
}

}  // namespace
