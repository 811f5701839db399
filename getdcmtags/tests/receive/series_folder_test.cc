#include "receive/series_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "durable.h"
#include "receive/temporary_folder.h"

namespace mercure::receive {
namespace {

namespace fs = std::filesystem;

class SeriesFolders : public testing::Test {
 protected:
  SeriesFolders() { fs::create_directory(folder_ / "incoming"); }

  Filed file(SeriesFolder& series, const std::string& data) {
    MetaHeader header;
    header.sop = {"1.2", "1.2.3"};
    header.transfer_syntax = "1.2.840.10008.1.2.1";
    Part made(folder_ / ("part" + std::to_string(++parts_)), header, buffer_);
    made.add(data);
    made.finish("2026-11-29T12:00:00.123456Z");
    const SeriesFolder::Lock lock(series);
    return series.file(made, "1.2.3");
  }

  tests::TemporaryFolder folder_;
  std::string buffer_;
  int parts_ = 0;
};

void overwrite(const std::string& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

TEST_F(SeriesFolders, RepetitionsAndOthersAreToldApart) {
  SeriesFolder series(folder_ / "incoming", "1.4", true);
  EXPECT_EQ(file(series, "one").file, "1.2.3.dcm");
  EXPECT_EQ(file(series, "two").file, "1.2.3~2.dcm");
  const Filed again = file(series, "two");
  EXPECT_EQ(again.file, "1.2.3~2.dcm");
  EXPECT_TRUE(again.repetition);
  const Filed last = file(series, "one");
  EXPECT_EQ(last.file, "1.2.3~3.dcm") << "an older version that comes again is the last one again";
  EXPECT_FALSE(last.repetition);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "incoming/1.4"), {}), 3);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "no part is left";
}

TEST_F(SeriesFolders, AnImageThatTheDiskHasAlteredIsReplacedWhenItComesAgain) {
  SeriesFolder series(folder_ / "incoming", "1.4", true);
  file(series, "one");
  const std::string path = folder_ / "incoming/1.4/1.2.3.dcm";
  const std::string good = tests::read_file(path);
  const std::size_t in_data = good.size() - 1;
  const std::size_t in_header = good.find("\"association\"");
  for (const std::size_t at : {in_data, in_header, good.find("\"data\":\"") + 9, std::size_t{3}}) {
    std::string bad = good;
    bad[at] ^= 0x01;
    overwrite(path, bad);
    const Filed again = file(series, "one");
    EXPECT_EQ(again.file, "1.2.3.dcm") << at;
    EXPECT_TRUE(again.repetition) << at;
    EXPECT_EQ(tests::read_file(path), good) << at;
  }
  overwrite(path, good.substr(0, good.size() - 1));
  EXPECT_TRUE(file(series, "one").repetition);
  EXPECT_EQ(tests::read_file(path), good) << "one that was cut off";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "incoming/1.4"), {}), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "no part is left";
}

TEST_F(SeriesFolders, WhatCannotBeToldApartFromAnAlteredImageIsKeptBeside) {
  SeriesFolder series(folder_ / "incoming", "1.4", true);
  file(series, "one");
  const std::string path = folder_ / "incoming/1.4/1.2.3.dcm";
  const std::string good = tests::read_file(path);
  std::string bad = good;
  bad[good.find("1.2.840.10008.1.2.1") + 18] ^= 0x03;
  overwrite(path, bad);
  EXPECT_EQ(file(series, "one").file, "1.2.3~2.dcm") << "another transfer syntax";
  EXPECT_EQ(tests::read_file(folder_ / "incoming/1.4/1.2.3~2.dcm"), good);
  overwrite(path, std::string(good.size(), '\0'));
  EXPECT_EQ(file(series, "two").file, "1.2.3~3.dcm");
}

TEST_F(SeriesFolders, AFolderThatWasTakenAwayIsMadeAnew) {
  SeriesFolder series(folder_ / "incoming", "1.4", true);
  file(series, "one");
  fs::rename(folder_ / "incoming/1.4", folder_ / "taken");
  EXPECT_EQ(file(series, "two").file, "1.2.3.dcm");
  {
    const SeriesFolder::Lock lock(series);
    series.add_tag_line("A", "{}\n");
  }
  EXPECT_EQ(tests::read_file(folder_ / "incoming/1.4/A.jsonl"), "{}\n");
  EXPECT_TRUE(fs::exists(folder_ / "taken/1.2.3.dcm"));
  EXPECT_FALSE(fs::exists(folder_ / "taken/A.jsonl"));
}

TEST_F(SeriesFolders, TheRouterCannotTakeAFolderWhileAnImageIsFiled) {
  SeriesFolder series(folder_ / "incoming", "1.4", false);
  const auto can_take = [&] {
    const Descriptor directory(open((folder_ / "incoming/1.4").c_str(), O_RDONLY | O_DIRECTORY));
    return flock(directory.get(), LOCK_EX | LOCK_NB) == 0;
  };
  {
    const SeriesFolder::Lock lock(series);
    EXPECT_FALSE(can_take());
  }
  EXPECT_TRUE(can_take());
}

TEST_F(SeriesFolders, WhatIsNoFolderIsAnError) {
  durable::create_file(folder_ / "incoming/1.4");
  SeriesFolder series(folder_ / "incoming", "1.4", true);
  EXPECT_THROW(SeriesFolder::Lock lock(series), durable::StepError);
}

}  // namespace
}  // namespace mercure::receive
