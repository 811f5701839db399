// The command line of mercure-storescu (docs/reference/mercure-storescu.1.md).
#ifndef MERCURE_STORESCU_OPTIONS_H
#define MERCURE_STORESCU_OPTIONS_H

#include <chrono>
#include <optional>
#include <string>

#include "dimse/tls.h"
#include "storescu/syntaxes.h"

namespace mercure::storescu {

using Seconds = std::chrono::duration<double>;

struct Options {
  std::string host;
  std::string called_aet = "ANY-SCP";
  std::string calling_aet = "MERCURE";
  std::string router;                 // a mark of the router, after our implementation version
  unsigned port = 0;
  unsigned max_pdu = 131'072;         // bytes, of the PDUs that the target may send to us
  unsigned associations = 1;
  bool order_kept = false;
  SyntaxPolicy syntaxes;
  std::string codec;                  // the program that runs codecs
  Seconds answer_watch{0};            // before the end of the first image, for an answer that comes too early
  Seconds connect_timeout{10};        // from the first packet to the connection
  Seconds acse_timeout{30};           // each of negotiation and release
  Seconds dimse_timeout{60};          // the answer to one image; sending it without any progress
  Seconds total_timeout{3600};        // everything
  bool is_probe = false;              // open one association, send nothing, tell who answered
  bool uses_tls = false;
  dimse::TlsClientSettings tls;

  // Host and port as they are written: "pacs:104", "[2001:db8::7]:104".
  std::string place() const;
};

struct Parsed {
  std::optional<Options> options;  // absent: there is nothing more to do
  int exit_code = 0;
};

// Prints help, version and mistakes itself.
Parsed parse_options(int argc, char** argv);

}  // namespace mercure::storescu

#endif
