// mercure-storescu: the router's DICOM sender.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/oflog/oflog.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "descriptor.h"
#include "jail/jail.h"
#include "storescu/broker.h"
#include "storescu/dcmtk_connect.h"
#include "storescu/list.h"
#include "storescu/options.h"
#include "storescu/report.h"
#include "storescu/sender.h"
#include "uids.h"

namespace {

using namespace mercure::storescu;

enum ExitCode : int { kNoList = 21, kNoMemory = 81, kNotShutIn = 82 };

// Calls that cannot be interrupted, such as a query to a silent name server, may last so much longer than a limit.
constexpr std::chrono::seconds kLastChance{2};

void prepare_process() {
  // The dispatcher that started us may be killed. The results of what is sent after that would be lost.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  Stop::install();
  // For DCMTK, which reads it before it connects; our transport sets the option again on the connection itself.
  setenv("TCP_NODELAY", "1", 1);
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
}

// Waits for `done`. False when the limits passed before.
bool wait_for(int done, Clock::time_point total) {
  while (true) {
    const auto end = std::min(total, Stop::end_of_grace());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()) + kLastChance;
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> watched{{{done, POLLIN, 0}, {Stop::descriptor(), POLLIN, 0}}};
    const int ready = poll(watched.data(), Stop::requested() ? 1 : 2, static_cast<int>(left.count()));
    if (ready > 0 && watched[0].revents != 0) return true;
  }
}

// What is known of an image before anything is sent.
std::optional<Result> unsendable(const Image& image) {
  if (image.cause != Cause::none) return Result{Outcome::failed, std::nullopt, image.problem, image.cause};
  if (!image.problem.empty()) return Result{Outcome::not_sent, std::nullopt, image.problem};
  if (!image.syntaxes.empty()) return std::nullopt;
  const std::string why = mercure::uid_name(image.transfer_syntax) + " cannot be converted to what the settings of the target ask for";
  return Result{Outcome::not_sent, std::nullopt, why, Cause::unsupported};
}

// Programs of one version lie in one folder.
std::string beside_us(const std::string& program) {
  std::error_code error;
  return (std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / program).string();
}

int send_all(const Options& options, const std::vector<Image>& images, Broker& broker, const Tls& tls, Clock::time_point total) {
  Report report(images);
  for (std::size_t place = 0; place < images.size(); ++place) {
    if (const auto problem = unsendable(images[place])) report.tell(place, *problem, {});
  }
  Sender sender(options, images, broker, tls, report, total);
  const mercure::Descriptor done(eventfd(0, EFD_CLOEXEC));
  std::thread work([&] {
    options.is_probe ? sender.probe() : sender.run();
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(done.get(), &one, sizeof one);
  });
  if (wait_for(done.get(), total)) {
    work.join();
    return report.finish(sender.error());
  }
  const bool stopped = Stop::requested();
  const int code = report.finish(Problem{stopped ? Kind::stopped : Kind::timeout, stopped ? "told to stop" : "a time limit passed"});
  std::fflush(nullptr);
  _exit(code);  // without waiting for threads that cannot be interrupted
}

// From here on this process reads its images and uses the connections that its broker makes. Images come from scanners, and answers
// from targets: what parses them may have a hole. Throws std::runtime_error.
void shut_in(const Options& options, const std::vector<Listed>& listed) {
  using mercure::jail::Access;
  const mercure::jail::CallFilter calls(mercure::jail::CallFilter::Role::sender);
  std::set<std::string> folders;
  for (const Listed& file : listed) folders.insert(std::filesystem::path(file.path).parent_path().string());
  std::vector<mercure::jail::Place> places{{"/usr/lib", Access::read}};  // the C library's converters of character sets
  if (options.uses_tls && options.tls.ca.empty()) {
    // The authorities of this machine, which OpenSSL reads when it meets them.
    for (const char* folder : {"/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}) {
      places.push_back({folder, Access::read});
    }
  }
  for (const std::string& folder : folders) places.push_back({folder.empty() ? "." : folder, Access::read});
  std::string problem = mercure::jail::limit_files(places);
  if (problem.empty()) problem = calls.enforce();
  if (!problem.empty()) throw std::runtime_error(problem);
}

int run(const Options& options) {
  prepare_process();
  Broker broker(options);
  connect_by(broker);
  const auto total = Clock::now() + std::chrono::duration_cast<Clock::duration>(options.total_timeout);
  auto listed = options.is_probe ? std::vector<Listed>() : read_list(STDIN_FILENO, total);
  if (!listed) {
    std::fputs("mercure-storescu: the list of files could not be read\n", stderr);
    return kNoList;
  }
  const Tls tls(options);
  shut_in(options, *listed);
  std::vector<Image> images;
  images.reserve(listed->size());
  for (auto& file : *listed) images.push_back(examine(std::move(file), options.syntaxes));
  return send_all(options, images, broker, tls, total);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto parsed = parse_options(argc, argv);
    if (!parsed.options) return parsed.exit_code;
    Options options = *parsed.options;
    options.codec = beside_us("mercure-codec");
    return run(options);
  } catch (const std::bad_alloc&) {
    std::fputs("mercure-storescu: out of memory\n", stderr);
    return kNoMemory;
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "mercure-storescu: it cannot be shut in: %s\n", error.what());
    return kNotShutIn;
  }
}
