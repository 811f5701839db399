// What transfer syntaxes and SOP classes are called (PS3.6 annex A): by the standard's names, never by a library's.
#ifndef MERCURE_UIDS_H
#define MERCURE_UIDS_H

#include <string>
#include <string_view>

namespace mercure {

// The name of a transfer syntax or SOP class; the UID itself where the standard has none.
std::string uid_name(std::string_view uid);

}  // namespace mercure

#endif
