#include "storescu/options.h"

#include <arpa/inet.h>
#include <getopt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "tags/printable.h"
#include "tags/transcoder.h"

namespace mercure::storescu {
namespace {

constexpr const char* kHelp =
    "usage: mercure-storescu --host HOST --port PORT [options] < LIST\n"
    "\n"
    "Sends DICOM files by C-STORE, bit by bit as they are wherever the target takes them so. LIST names them, one per\n"
    "line. Prints one line of JSON for each file as soon as its result is known, and a summary as the last line.\n"
    "\n"
    "  --host HOST              name or address of the target, IPv4 or IPv6\n"
    "  --port PORT              its port, 1 to 65535\n"
    "  --called-aet AET         its AE title (ANY-SCP)\n"
    "  --calling-aet AET        our AE title (MERCURE)\n"
    "  --router MARK            4 characters 0-9a-f of the router, told with our implementation version\n"
    "  --max-pdu BYTES          longest PDU that we receive, 4096 to 131072 (131072)\n"
    "  --connect-timeout SECONDS  limit for the connection (10)\n"
    "  --acse-timeout SECONDS   limit for negotiation, and for release (30)\n"
    "  --dimse-timeout SECONDS  limit for the answer to an image (60)\n"
    "  --total-timeout SECONDS  limit for everything (3600)\n"
    "  --associations N         associations in parallel, 1 to 64 (1)\n"
    "  --answer-watch SECONDS   wait before the end of the first image for an answer that comes too early (0)\n"
    "  --order-kept             one association at a time, images in the order of the list\n"
    "  --transfer-syntaxes WHICH  as-needed, as-received, as-it-is, uncompressed, or UIDs with commas between\n"
    "                           (as-needed); as-it-is: also what cannot be read\n"
    "  --probe                  open an association and release it, read no LIST, print the summary alone\n"
    "  --tls                    over TLS\n"
    "  --tls-ca FILE            who may have signed its certificate; for pin: the certificate (those of this machine)\n"
    "  --tls-crl FILE           lists of revoked certificates, of the authorities that sign the target's\n"
    "  --tls-certificate FILE   certificate of ours, with its chain\n"
    "  --tls-key FILE           its private key\n"
    "  --tls-verify HOW         full, ca (whatever name it has), pin (it alone) (full)\n"
    "  --tls-name NAME          the name in its certificate (that of --host)\n"
    "  --help                   show this and exit\n"
    "  --version                show the version and exit\n"
    "\n"
    "exit codes:\n"
    "   0  every image is confirmed\n"
    "   1  the command line is wrong\n"
    "  20  a file could not be read or sent as it is\n"
    "  21  the list of files could not be read\n"
    "  22  an image is not as it was received\n"
    "  40  standard output could not be written\n"
    "  60  the target could not be reached\n"
    "  61  the target rejected the association\n"
    "  62  a time limit passed\n"
    "  63  an association was aborted or lost\n"
    "  64  the target refused images or failed to store them\n"
    "  65  the target stored images with a warning\n"
    "  66  the target broke the protocol: its answers confirm nothing\n"
    "  67  there was no connection over TLS\n"
    "  80  told to stop before all was sent\n"
    "  81  out of memory\n";

constexpr std::size_t kMarkLength = 4;      // what is left of 16 characters (PS3.7 section D.3.3.2.4)
constexpr std::size_t kLongestAeTitle = 16;  // PS3.5 section 6.2

enum Choice : int {
  kHost = 256, kPort, kCalled, kCalling, kRouter, kMaxPdu, kConnect, kAcse, kDimse, kTotal, kAssociations, kAnswerWatch, kOrderKept, kSyntaxes,
  kProbe, kTls, kTlsCa, kTlsCrl, kTlsCertificate, kTlsKey, kTlsVerify, kTlsName, kHelpShown, kVersion,
};

constexpr option kLong[] = {
    {"host", required_argument, nullptr, kHost},
    {"port", required_argument, nullptr, kPort},
    {"called-aet", required_argument, nullptr, kCalled},
    {"calling-aet", required_argument, nullptr, kCalling},
    {"router", required_argument, nullptr, kRouter},
    {"max-pdu", required_argument, nullptr, kMaxPdu},
    {"connect-timeout", required_argument, nullptr, kConnect},
    {"acse-timeout", required_argument, nullptr, kAcse},
    {"dimse-timeout", required_argument, nullptr, kDimse},
    {"total-timeout", required_argument, nullptr, kTotal},
    {"associations", required_argument, nullptr, kAssociations},
    {"answer-watch", required_argument, nullptr, kAnswerWatch},
    {"order-kept", no_argument, nullptr, kOrderKept},
    {"transfer-syntaxes", required_argument, nullptr, kSyntaxes},
    {"probe", no_argument, nullptr, kProbe},
    {"tls", no_argument, nullptr, kTls},
    {"tls-ca", required_argument, nullptr, kTlsCa},
    {"tls-crl", required_argument, nullptr, kTlsCrl},
    {"tls-certificate", required_argument, nullptr, kTlsCertificate},
    {"tls-key", required_argument, nullptr, kTlsKey},
    {"tls-verify", required_argument, nullptr, kTlsVerify},
    {"tls-name", required_argument, nullptr, kTlsName},
    {"help", no_argument, nullptr, kHelpShown},
    {"version", no_argument, nullptr, kVersion},
    {nullptr, 0, nullptr, 0},
};

bool whole(std::string_view text, unsigned least, unsigned most, unsigned& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && into >= least && into <= most;
}

bool seconds(std::string_view text, Seconds& into, double least = 1e-9) {
  constexpr double kWeek = 7 * 24 * 3600;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  into = Seconds(value);
  return error == std::errc() && end == text.data() + text.size() && value >= least && value <= kWeek;
}

bool ae_title(std::string_view text, std::string& into) {
  into = text;
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
  return printable && text.size() <= kLongestAeTitle && text.find_first_not_of(' ') != std::string_view::npos;
}

bool mark(std::string_view text, std::string& into) {
  into = text;
  return text.size() == kMarkLength && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool host(std::string_view text, std::string& into) {
  into = text;
  const bool is_name = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != ':'; });
  return !text.empty() && (is_name || is_ipv6(into));
}

bool syntaxes(std::string_view text, SyntaxPolicy& into) {
  const auto policy = SyntaxPolicy::parse(text);
  if (policy) into = *policy;
  return policy.has_value();
}

bool file(std::string_view text, std::string& into) {
  into = text;
  return !text.empty();
}

bool server_check(std::string_view text, dimse::ServerCheck& into) {
  constexpr std::array<std::pair<std::string_view, dimse::ServerCheck>, 3> kChecks{
      {{"full", dimse::ServerCheck::full}, {"ca", dimse::ServerCheck::ca}, {"pin", dimse::ServerCheck::pin}}};
  const auto found = std::find_if(kChecks.begin(), kChecks.end(), [&](const auto& one) { return one.first == text; });
  if (found != kChecks.end()) into = found->second;
  return found != kChecks.end();
}

bool apply(int choice, const char* value, Options& options) {
  switch (choice) {
    case kHost: return host(value, options.host);
    case kPort: return whole(value, 1, 65535, options.port);
    case kCalled: return ae_title(value, options.called_aet);
    case kCalling: return ae_title(value, options.calling_aet);
    case kRouter: return mark(value, options.router);
    case kMaxPdu: return whole(value, 4096, 131'072, options.max_pdu);
    case kConnect: return seconds(value, options.connect_timeout);
    case kAcse: return seconds(value, options.acse_timeout);
    case kDimse: return seconds(value, options.dimse_timeout);
    case kTotal: return seconds(value, options.total_timeout);
    case kAnswerWatch: return seconds(value, options.answer_watch, 0);
    case kAssociations: return whole(value, 1, 64, options.associations);
    case kSyntaxes: return syntaxes(value, options.syntaxes);
    case kProbe: return options.is_probe = true;
    case kTls: return options.uses_tls = true;
    case kTlsCa: return file(value, options.tls.ca);
    case kTlsCrl: return file(value, options.tls.crl);
    case kTlsCertificate: return file(value, options.tls.certificate);
    case kTlsKey: return file(value, options.tls.key);
    case kTlsVerify: return server_check(value, options.tls.verify);
    case kTlsName: return host(value, options.tls.server_name);
    default: return options.order_kept = true;
  }
}

Parsed wrong(const std::string& what) {
  std::string valid;
  tags::append_utf8(what, valid);
  std::fprintf(stderr, "mercure-storescu: %s; see mercure-storescu --help\n", tags::printable(valid).c_str());
  return {std::nullopt, 1};
}

}  // namespace

std::string Options::place() const { return (is_ipv6(host) ? '[' + host + ']' : host) + ':' + std::to_string(port); }

Parsed parse_options(int argc, char** argv) {
  Options options;
  int place = 0;
  for (int found; (found = getopt_long(argc, argv, "", kLong, &place)) != -1;) {
    if (found == kHelpShown) {
      std::fputs(kHelp, stdout);
      return {std::nullopt, 0};
    }
    if (found == kVersion) {
      std::puts("mercure-storescu " MERCURE_VERSION);
      return {std::nullopt, 0};
    }
    if (found == '?') return {std::nullopt, 1};
    if (!apply(found, optarg, options)) return wrong(std::string("the value of --") + kLong[place].name + " is out of range");
  }
  if (optind != argc) return wrong("files are named on standard input");
  if (options.host.empty() || options.port == 0) return wrong("--host and --port are needed");
  if (options.order_kept && options.associations != 1) return wrong("--order-kept goes with one association");
  if (options.tls.certificate.empty() != options.tls.key.empty()) return wrong("--tls-certificate and --tls-key go together");
  if (options.tls.verify == dimse::ServerCheck::pin && options.tls.ca.empty()) return wrong("--tls-verify=pin needs --tls-ca");
  if (options.tls.verify == dimse::ServerCheck::pin && !options.tls.crl.empty()) return wrong("--tls-verify=pin takes no --tls-crl");
  if (options.tls.server_name.empty()) options.tls.server_name = options.host;
  return {options, 0};
}

}  // namespace mercure::storescu
