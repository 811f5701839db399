// The only code of the C++ part that writes, syncs, renames and removes what must survive a crash. Every call is a numbered
// step (steps.h). The Python twin is mercure/durable.py. All functions throw StepError; none retries or hides one.
#ifndef MERCURE_DURABLE_H
#define MERCURE_DURABLE_H

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#include "descriptor.h"

namespace mercure::durable {

// A step that failed, with the error of the system: code().value() is an errno.
class StepError : public std::system_error {
 public:
  StepError(int error, std::string_view operation, std::string_view path);

  // The disk or the quota is full: the sender may try again later.
  bool out_of_space() const;
};

// Makes a file that does not exist yet, empty, and opens it for writing and reading. A `write` step.
Descriptor create_file(const std::string& path);

// Writes all of it.
void write(int file, std::string_view bytes, std::string_view path);

// Writes all of it at a place that the file has already.
void write_at(int file, std::size_t place, std::string_view bytes, std::string_view path);

// Opens a file for append(), made when it is missing. Not a step: an empty file tells nobody anything.
Descriptor open_to_append(const std::string& path);

// Appends one line, all of it or an error; a file that took a part of it is cut back to where it was. One writer per file.
void append(int file, std::string_view line, std::string_view path);

// Has the kernel begin to write what is dirty of a file, without waiting. Only a hint, so no step: it promises nothing.
void start_write_back(int file);

void sync_data(int file, std::string_view path);
void sync_file(int file, std::string_view path);
void sync_directory(int directory, std::string_view path);
void sync_directory(const std::string& path);

// Renames `from` to `name` in the open `directory` if nothing has that name yet; tells whether it did.
bool rename_new(const std::string& from, int directory, const std::string& name, std::string_view path);

void rename(const std::string& from, const std::string& to);

// Makes one directory; tells whether it is new.
bool make_directory(const std::string& path);

// Removes a name or an empty directory. One that is not there is no error.
void unlink(const std::string& path);
void remove_directory(const std::string& path);

}  // namespace mercure::durable

#endif
