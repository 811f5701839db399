// A folder for one test, removed with all it holds.
#ifndef MERCURE_TESTS_TEMPORARY_FOLDER_H
#define MERCURE_TESTS_TEMPORARY_FOLDER_H

#include <string>

namespace mercure::tests {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);

}  // namespace mercure::tests

#endif
