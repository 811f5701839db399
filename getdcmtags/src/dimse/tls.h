// TLS under a connection, by OpenSSL: PS3.15 annex B (BCP 195), RFC 9325.
//
// TLS 1.2 with authenticated encryption and forward secrecy, and TLS 1.3; no compression, no renegotiation. Sessions are not resumed:
// each association shows its certificates anew, so that one that was taken from the list is refused from then on.
#ifndef MERCURE_DIMSE_TLS_H
#define MERCURE_DIMSE_TLS_H

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/stream.h"
#include "dimse/tls_words.h"

namespace mercure::dimse {

// Files that cannot be used, in words.
class TlsFilesError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How a server is known.
enum class ServerCheck : std::uint8_t {
  full,  // by who signed its certificate, and by its name in it
  ca,    // by who signed it alone
  pin,   // by its very certificate, whatever name it has and whoever signed it
};

struct TlsClientSettings {
  std::string ca;           // PEM file: who may have signed; for `pin` the certificate itself. Empty: the authorities of this machine
  std::string certificate;  // PEM file of ours with its chain; empty: none is shown
  std::string key;          // PEM file of its private key
  ServerCheck verify = ServerCheck::full;
  std::string server_name;  // name or address in its certificate
  std::string crl;          // PEM file of lists of revoked certificates; empty: none is asked
};

enum class ClientCertificates : std::uint8_t { none, wanted, required };

struct TlsServerSettings {
  std::string certificate;
  std::string key;
  std::string ca;  // who may have signed the certificates of clients
  ClientCertificates clients = ClientCertificates::none;
  std::string crl;  // PEM file of lists of revoked certificates; empty: none is asked
};

// What was agreed on with a peer, and who it is.
struct TlsPeer {
  std::string version;
  std::string cipher;
  std::string subject;             // RFC 2253; empty: it showed no certificate
  std::vector<std::string> names;  // subject alternative names: DNS names, addresses, URIs, mail addresses
  std::string issuer;
  std::string ends;                // the last moment of its certificate, as in "2027-01-31T12:00:00Z"
  std::string certificate;         // PEM
};

// What all connections of one kind share; any number of threads and of processes after a fork may use it.
class TlsContext {
 public:
  // Both read the files now, and throw TlsFilesError. A private key that others can read is refused.
  explicit TlsContext(const TlsClientSettings& settings);
  explicit TlsContext(const TlsServerSettings& settings);

 private:
  friend class TlsStream;

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };

  void prepare();
  void show(const std::string& certificate, const std::string& key);
  void trust(const std::string& file);
  void revoke(const std::string& file);
  void pin(const std::string& file);
  bool is_pinned(const X509* shown) const;

  std::unique_ptr<SSL_CTX, Free> context_;
  std::vector<std::unique_ptr<X509, Free>> pinned_;
  std::string server_name_;
  ServerCheck check_ = ServerCheck::full;
  bool is_client_ = false;
};

class TlsStream final : public Stream {
 public:
  // Takes over the stream below; `context` outlives this.
  TlsStream(std::unique_ptr<Stream> below, const TlsContext& context);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  State open() override;
  Outcome read(char* into, std::size_t size) override;

  // After want_write it must be called again with the same bytes.
  Outcome write(std::string_view first, std::string_view second) override;
  bool has_pending() override;
  bool has_news() override { return has_pending(); }
  bool end_writing() override;
  int descriptor() const override { return below_->descriptor(); }
  const std::string& fault() const override { return fault_; }
  std::optional<unsigned char> first_byte() const override { return below_->first_byte(); }

  // What sort of fault it is: faults of one sort differ in names and dates alone.
  int fault_code() const { return fault_code_; }

  // Who answers, as far as it is known: also of a peer that is not believed.
  TlsPeer peer() const;

 private:
  friend class TlsContext;

  struct Free {
    void operator()(SSL* connection) const { SSL_free(connection); }
  };

  static const BIO_METHOD* bridge();
  static int from_below(BIO* bio, char* into, int size);
  static int to_below(BIO* bio, const char* bytes, int size);
  static long control(BIO* bio, int command, long number, void* pointer);

  static int note_certificate(int is_good, X509_STORE_CTX* chain);

  TlsRole role() const { return context_.is_client_ ? TlsRole::client : TlsRole::server; }
  void name_server();
  State flush();
  State state_of(int result);
  void note_failure(int error);
  bool encrypt(std::string_view first, std::string_view second);
  bool encrypt(std::string_view bytes);
  void say_end();

  std::unique_ptr<Stream> below_;
  const TlsContext& context_;
  std::unique_ptr<SSL, Free> connection_;
  std::string joined_;          // two parts of a write that share a record
  std::string outgoing_;        // encrypted, not yet written below
  std::size_t written_ = 0;     // of it
  std::size_t encrypted_ = 0;   // bytes of the caller that it holds
  bool is_open_ = false;
  bool below_ended_ = false;
  bool is_broken_ = false;
  std::string fault_;
  int fault_code_ = 0;
  std::unique_ptr<X509, decltype(&X509_free)> shown_{nullptr, X509_free};  // the certificate of a peer that is not believed
};

}  // namespace mercure::dimse

#endif
