// The file meta information that goes before a data set (PS3.10 section 7.1).
#ifndef MERCURE_RECEIVE_META_HEADER_H
#define MERCURE_RECEIVE_META_HEADER_H

#include <string>

namespace mercure::receive {

// This program, as it names itself in files and associations. The UID is derived from a UUID (PS3.5 annex B.2).
inline constexpr char kImplementationClassUid[] = "2.25.140604012194056817564743319889658665803";
inline constexpr char kImplementationVersion[] = "MERCURE_0_1";

struct MetaHeader {
  std::string sop_class;
  std::string sop_instance;
  std::string transfer_syntax;
  std::string source_aet;
};

// Preamble, prefix and group 0002. An element without a value is left out, except that the transfer syntax always has one.
std::string encode(const MetaHeader& header);

}  // namespace mercure::receive

#endif
