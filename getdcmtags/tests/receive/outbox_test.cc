#include "outbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "receive/temporary_folder.h"
#include "steps.h"

namespace mercure {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_in(const tests::TemporaryFolder& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder.path())) files.push_back(entry.path());
  return files;
}

std::vector<Json> events_in(const tests::TemporaryFolder& folder) {
  std::vector<Json> events;
  for (const fs::path& path : files_in(folder)) {
    std::istringstream lines(tests::read_file(path.string()));
    for (std::string line; std::getline(lines, line);) events.push_back(Json::parse(line));
  }
  return events;
}

bool is_locked(const fs::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY));
  return flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

TEST(Outboxes, AnEventHasTheFormOfTheContract) {
  const tests::TemporaryFolder folder;
  Outbox outbox(folder.path(), "receiver");
  EXPECT_TRUE(files_in(folder).empty()) << "a writer that tells nothing makes no file";
  outbox.emit("image.received", "1.2.3", {{"bytes", 5}});
  outbox.emit("service.stopped", std::nullopt, Json::object());
  const auto files = files_in(folder);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].filename().string().substr(0, 9), "receiver-");
  EXPECT_EQ(files[0].extension(), ".jsonl");
  EXPECT_TRUE(is_locked(files[0]));
  const auto events = events_in(folder);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["type"], "image.received");
  EXPECT_EQ(events[0]["service"], "receiver");
  EXPECT_EQ(events[0]["series"], "1.2.3");
  EXPECT_TRUE(events[0]["task"].is_null());
  EXPECT_EQ(events[0]["details"], Json({{"bytes", 5}}));
  EXPECT_EQ(events[0]["time"].get<std::string>().size(), 27U);
  EXPECT_LT(events[0]["id"], events[1]["id"]);
  EXPECT_TRUE(events[1]["details"].is_object());
  outbox.close();
  EXPECT_FALSE(is_locked(files[0]));
}

TEST(Outboxes, BytesThatAreNoTextDoNotStopAnEvent) {
  const tests::TemporaryFolder folder;
  Outbox outbox(folder.path(), "receiver");
  outbox.emit("association.refused", std::nullopt, {{"calling_aet", "A\xff\x1b\n"}});
  EXPECT_EQ(events_in(folder).at(0)["details"]["calling_aet"], "A\xef\xbf\xbd\x1b\n");
}

TEST(Outboxes, WhatTheDiskRefusesWaitsAndComesInOrder) {
  const tests::TemporaryFolder folder;
  setenv("MERCURE_FAULT", "ENOSPC@2,ENOSPC@3", 1);
  steps::reset();
  Outbox outbox(folder.path(), "receiver");
  for (int number = 0; number < 4; ++number) outbox.emit("warning", std::nullopt, {{"number", number}});
  EXPECT_EQ(outbox.waiting(), 0U);
  std::vector<int> numbers;
  for (const Json& event : events_in(folder)) numbers.push_back(event["details"]["number"].get<int>());
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, (std::vector<int>{0, 1, 2, 3}));
  unsetenv("MERCURE_FAULT");
  steps::reset();
}

TEST(Outboxes, AFolderThatIsNotThereIsNoDeath) {
  Outbox outbox("/nonexistent/outbox", "receiver");
  outbox.emit("warning", std::nullopt, Json::object());
  EXPECT_EQ(outbox.waiting(), 1U);
}

}  // namespace
}  // namespace mercure
