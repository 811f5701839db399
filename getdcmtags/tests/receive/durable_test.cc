#include "durable.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "receive/temporary_folder.h"
#include "steps.h"

namespace mercure {
namespace {

// Limits the size of files of this process, the one way to a short write that needs no disk of its own.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(Durable, AFileIsMadeOnce) {
  const tests::TemporaryFolder folder;
  {
    const Descriptor file = durable::create_file(folder / "a");
    durable::write(file.get(), "abc", "a");
    durable::sync_data(file.get(), "a");
    durable::sync_file(file.get(), "a");
  }
  EXPECT_EQ(tests::read_file(folder / "a"), "abc");
  try {
    durable::create_file(folder / "a");
    FAIL();
  } catch (const durable::StepError& error) {
    EXPECT_EQ(error.code().value(), EEXIST);
    EXPECT_FALSE(error.out_of_space());
    EXPECT_NE(std::string(error.what()).find("write " + (folder / "a")), std::string::npos);
  }
}

TEST(Durable, RenameNewNeverReplaces) {
  const tests::TemporaryFolder folder;
  durable::make_directory(folder / "to");
  const Descriptor to(open((folder / "to").c_str(), O_RDONLY | O_DIRECTORY));
  for (const char* name : {"a", "b"}) durable::create_file(folder / name);
  EXPECT_TRUE(durable::rename_new(folder / "a", to.get(), "x", "to/x"));
  EXPECT_FALSE(durable::rename_new(folder / "b", to.get(), "x", "to/x"));
  EXPECT_TRUE(std::filesystem::exists(folder / "b"));
  EXPECT_THROW(durable::rename_new(folder / "none", to.get(), "y", "to/y"), durable::StepError);
  durable::sync_directory(to.get(), "to");
}

TEST(Durable, DirectoriesTellWhetherTheyAreNewAndWhatIsGoneIsNoError) {
  const tests::TemporaryFolder folder;
  EXPECT_TRUE(durable::make_directory(folder / "d"));
  EXPECT_FALSE(durable::make_directory(folder / "d"));
  EXPECT_THROW(durable::make_directory(folder / "none/d"), durable::StepError);
  durable::remove_directory(folder / "d");
  durable::remove_directory(folder / "d");
  durable::unlink(folder / "d");
  EXPECT_THROW(durable::sync_directory(folder / "d"), durable::StepError);
}

TEST(Durable, ATornLineIsCutOffAgain) {
  const tests::TemporaryFolder folder;
  const Descriptor file = durable::open_to_append(folder / "lines");
  durable::append(file.get(), "first\n", "lines");
  {
    const FileSizeLimit limit(10);
    try {
      durable::append(file.get(), "second\n", "lines");
      FAIL();
    } catch (const durable::StepError& error) {
      EXPECT_TRUE(error.out_of_space());
    }
  }
  durable::append(file.get(), "third\n", "lines");
  EXPECT_EQ(tests::read_file(folder / "lines"), "first\nthird\n");
}

TEST(Durable, AFaultIsAnErrorOfTheStep) {
  const tests::TemporaryFolder folder;
  setenv("MERCURE_FAULT", "ENOSPC@2", 1);
  steps::reset();
  const Descriptor file = durable::create_file(folder / "a");
  try {
    durable::write(file.get(), "abc", folder / "a");
    FAIL();
  } catch (const durable::StepError& error) {
    EXPECT_TRUE(error.out_of_space());
  }
  EXPECT_EQ(tests::read_file(folder / "a"), "");
  unsetenv("MERCURE_FAULT");
  steps::reset();
}

}  // namespace
}  // namespace mercure
