// mercure-storescp: the receive path of the router (docs/reference/mercure-storescp.1.md).
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dul.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/oflog/oflog.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "jail/jail.h"
#include "receive/config.h"
#include "receive/log.h"
#include "receive/read_again.h"
#include "receive/server.h"
#include "steps.h"

namespace {

using namespace mercure;

// Exit codes by range: 1 to 19 usage, 20 to 39 configuration, 40 to 59 spool and network, 60 to 79 while serving.
enum Exit : int { kDone = 0, kUsage = 1, kConfig = 20, kStart = 40, kServing = 60 };

constexpr char kHelp[] =
    "usage: mercure-storescp [--end-with-parent] --config FILE\n"
    "       mercure-storescp --check FILE     check a configuration and end\n"
    "       mercure-storescp --read-again ENTRY --config FILE\n"
    "                                         read an object in quarantine again and end\n"
    "       mercure-storescp --check-jail    print what the kernel lacks to shut associations in and end\n"
    "       mercure-storescp --print-settings print every setting as JSON Schema and end\n"
    "       mercure-storescp --version | --help\n"
    "Receives DICOM images into the spool. See mercure-storescp(1).\n";

// DCMTK writes plain lines with names of senders to stderr, and asks the name service about each caller: neither is wanted.
void quieten_dcmtk() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  dcmDisableGethostbyaddr.set(OFTrue);
  dcmSocketSendTimeout.set(-1);  // our transport has its own limits
  dcmSocketReceiveTimeout.set(-1);
}

int fail(Exit code, const std::exception& error) {
  receive::log::error("cannot go on", {{"reason", error.what()}, {"exit_code", code}});
  return code;
}

// Reads the configuration and prepares the process for what people send.
receive::Config prepare(const std::string& path) {
  receive::Config config = receive::read_config(path);
  steps::check_environment();
  receive::log::set_level(config.log_level);
  const rlimit no_core{0, 0};  // a core file of this program is full of patient data
  setrlimit(RLIMIT_CORE, &no_core);
  quieten_dcmtk();
  return config;
}

int serve(const std::string& path) {
  receive::Config config;
  try {
    config = prepare(path);
  } catch (const std::exception& error) {
    return fail(kConfig, error);
  }
  try {
    receive::Server server(config, path);
    try {
      server.run();
    } catch (const std::exception& error) {
      return fail(kServing, error);
    }
  } catch (const std::exception& error) {
    return fail(kStart, error);
  }
  return kDone;
}

int read_again(const std::string& entry, const std::string& path) {
  receive::Config config;
  try {
    config = prepare(path);
  } catch (const std::exception& error) {
    return fail(kConfig, error);
  }
  try {
    std::puts(receive::read_again(config, entry).c_str());
  } catch (const std::exception& error) {
    return fail(kServing, error);
  }
  return kDone;
}

int check(const std::string& path) {
  try {
    receive::read_config(path);
  } catch (const receive::ConfigError& error) {
    return fail(kConfig, error);
  }
  return kDone;
}

int check_jail() {
  for (const std::string& part : jail::lacking()) std::puts(part.c_str());
  return kDone;
}

// For a launcher that may be killed: the one that takes its place starts a new receiver, which needs the port.
void end_with_parent() {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--end-with-parent") {
    end_with_parent();
    option = argc > 2 ? argv[2] : "";
    --argc;
    ++argv;
  }
  if (option == "--config" && argc == 3) return serve(argv[2]);
  if (option == "--read-again" && argc == 5 && std::string_view(argv[3]) == "--config") return read_again(argv[2], argv[4]);
  if (option == "--check" && argc == 3) return check(argv[2]);
  if (option == "--check-jail" && argc == 2) return check_jail();
  if (option == "--print-settings" && argc == 2) {
    std::puts(receive::settings_schema().c_str());
    return kDone;
  }
  if (option == "--version" && argc == 2) {
    std::printf("mercure-storescp %s\n", MERCURE_VERSION);
    return kDone;
  }
  if (option == "--help" && argc == 2) {
    std::fputs(kHelp, stdout);
    return kDone;
  }
  std::fputs(kHelp, stderr);
  return kUsage;
}
