#include "dimse/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "dimse/tls_words.h"

namespace mercure::dimse {

namespace {

// RFC 9325 sections 4.2 and 4.2.1, without the exchanges over finite fields (section 4.1).
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr int kSecurityLevel = 2;               // keys of 112 bits and more, no SHA-1
constexpr std::size_t kMostAtOnce = 64 << 10;   // bytes encrypted before they leave
constexpr std::size_t kRecord = 16 << 10;       // RFC 8446 section 5.1
constexpr std::size_t kReadAhead = 144 << 10;   // the records of a PDU in one read
constexpr char kNotPinned[] =
    "it shows another certificate than the pinned one: when it was renewed there, put the new one into the file 'ca'; "
    "else find out who answers in its place";
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? "unknown error" : text;
}

// Says why a file cannot be used; empty: it can be opened.
void check_readable(const std::string& file, const char* what) {
  std::FILE* opened = std::fopen(file.c_str(), "re");
  if (opened == nullptr) throw TlsFilesError(std::string(what) + ' ' + file + " cannot be read: " + std::strerror(errno));
  std::fclose(opened);
}

void check_private(const std::string& file) {
  struct stat state {};
  check_readable(file, "the private key");
  if (stat(file.c_str(), &state) == 0 && (state.st_mode & kOthers) != 0) {
    throw TlsFilesError("the private key " + file + " can be read by others than the router: chmod 600 it, and think of a new one");
  }
}

bool is_address(const std::string& name) {
  in6_addr buffer{};
  return inet_pton(AF_INET, name.c_str(), &buffer) == 1 || inet_pton(AF_INET6, name.c_str(), &buffer) == 1;
}

std::string pem_of(const X509* certificate) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
  char* bytes = nullptr;
  PEM_write_bio_X509(text.get(), certificate);
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(std::max(size, 0L))};
}

// A key with a passphrase must not make a service ask for it at a terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

}  // namespace

TlsContext::TlsContext(const TlsClientSettings& settings)
    : context_(SSL_CTX_new(TLS_client_method())), server_name_(settings.server_name), check_(settings.verify), is_client_(true) {
  prepare();
  if (!settings.certificate.empty()) show(settings.certificate, settings.key);
  if (settings.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context_.get());
  } else {
    trust(settings.ca);
  }
  if (check_ == ServerCheck::pin) pin(settings.ca);
  if (!settings.crl.empty()) revoke(settings.crl);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, TlsStream::note_certificate);
}

TlsContext::TlsContext(const TlsServerSettings& settings) : context_(SSL_CTX_new(TLS_server_method())) {
  prepare();
  show(settings.certificate, settings.key);
  SSL_CTX_set_options(context_.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (settings.clients == ClientCertificates::none) return;
  trust(settings.ca);
  if (!settings.crl.empty()) revoke(settings.crl);
  SSL_CTX_set_client_CA_list(context_.get(), SSL_load_client_CA_file(settings.ca.c_str()));
  const int must = settings.clients == ClientCertificates::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | must, TlsStream::note_certificate);
}

void TlsContext::prepare() {
  if (!context_) throw TlsFilesError("OpenSSL cannot be used: " + last_error());
  SSL_CTX* context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_cipher_list(context, kCiphers);
  // A peer may close without a word of TLS, as many do: DICOM has its own end of an association, and PDUs have a length.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAhead);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  X509_VERIFY_PARAM* checks = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(checks, X509_V_FLAG_PARTIAL_CHAIN);  // 'ca' may hold one certificate of the middle, or the peer's own
}

void TlsContext::show(const std::string& certificate, const std::string& key) {
  check_readable(certificate, "the certificate");
  check_private(key);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()) != 1) {
    throw TlsFilesError("the certificate " + certificate + " cannot be used: " + last_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) == 1) return;
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  const bool is_other = reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
  throw TlsFilesError(is_other ? "the private key " + key + " is not that of the certificate " + certificate
                               : "the private key " + key + " cannot be used (PEM, without a passphrase): " + last_error());
}

void TlsContext::trust(const std::string& file) {
  check_readable(file, "the file 'ca',");
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(context_.get(), file.c_str(), nullptr) != 1) {
    throw TlsFilesError("the file 'ca', " + file + ", holds no certificates (PEM): " + last_error());
  }
}

// Each certificate of a chain is looked for in the list of who signed it. The peer's own needs one; those above it may do without.
void TlsContext::revoke(const std::string& file) {
  check_readable(file, "the file 'crl',");
  ERR_clear_error();
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  if (X509_load_crl_file(X509_STORE_add_lookup(store, X509_LOOKUP_file()), file.c_str(), X509_FILETYPE_PEM) < 1) {
    throw TlsFilesError("the file 'crl', " + file + ", holds no list of revoked certificates (PEM): " + last_error());
  }
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_.get()), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

void TlsContext::pin(const std::string& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> opened(BIO_new_file(file.c_str(), "r"), BIO_free);
  while (X509* found = opened ? PEM_read_bio_X509(opened.get(), nullptr, no_passphrase, nullptr) : nullptr) pinned_.emplace_back(found);
  ERR_clear_error();
  if (pinned_.empty()) throw TlsFilesError("the file 'ca' must hold the pinned certificate: " + (file.empty() ? "it is not named" : file));
}

bool TlsContext::is_pinned(const X509* shown) const {
  return shown != nullptr && std::any_of(pinned_.begin(), pinned_.end(), [&](const auto& pinned) { return X509_cmp(pinned.get(), shown) == 0; });
}

TlsStream::TlsStream(std::unique_ptr<Stream> below, const TlsContext& context)
    : below_(std::move(below)), context_(context), connection_(SSL_new(context.context_.get())) {
  if (!connection_) throw std::bad_alloc();
  SSL* connection = connection_.get();
  BIO* bio = BIO_new(bridge());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(connection, bio, bio);
  SSL_set_app_data(connection, this);
  context.is_client_ ? SSL_set_connect_state(connection) : SSL_set_accept_state(connection);
  if (context.is_client_) name_server();
}

void TlsStream::name_server() {
  SSL* connection = connection_.get();
  const std::string& name = context_.server_name_;
  if (!is_address(name)) SSL_set_tlsext_host_name(connection, name.c_str());
  if (context_.check_ != ServerCheck::full) return;
  X509_VERIFY_PARAM* checks = SSL_get0_param(connection);
  X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(checks, name.c_str()) : X509_VERIFY_PARAM_set1_host(checks, name.c_str(), name.size());
}

TlsStream::~TlsStream() { say_end(); }

// The bridge between OpenSSL and the stream below. What OpenSSL writes is collected, so that several records leave in one call.
const BIO_METHOD* TlsStream::bridge() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mercure stream");
    BIO_meth_set_read(made, from_below);
    BIO_meth_set_write(made, to_below);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return method;
}

int TlsStream::from_below(BIO* bio, char* into, int size) {
  auto& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto [state, count] = stream.below_->read(into, static_cast<std::size_t>(size));
  if (state == State::moved) return static_cast<int>(count);
  if (state == State::want_read) BIO_set_retry_read(bio);
  if (state == State::want_write) BIO_set_retry_write(bio);
  stream.below_ended_ = state == State::closed;
  return state == State::closed ? 0 : -1;
}

int TlsStream::to_below(BIO* bio, const char* bytes, int size) {
  static_cast<TlsStream*>(BIO_get_data(bio))->outgoing_.append(bytes, static_cast<std::size_t>(size));
  return size;
}

long TlsStream::control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return static_cast<TlsStream*>(BIO_get_data(bio))->below_ended_ ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Called by OpenSSL for each certificate of the peer, and for each fault of one.
int TlsStream::note_certificate(int is_good, X509_STORE_CTX* chain) {
  if (is_good == 1) return 1;
  const bool has_no_list = X509_STORE_CTX_get_error(chain) == X509_V_ERR_UNABLE_TO_GET_CRL;
  if (has_no_list && X509_STORE_CTX_get_error_depth(chain) > 0) {
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }
  auto* connection = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& stream = *static_cast<TlsStream*>(SSL_get_app_data(connection));
  const int code = X509_STORE_CTX_get_error(chain);
  if (X509* shown = X509_STORE_CTX_get0_cert(chain); shown != nullptr && X509_up_ref(shown) == 1) stream.shown_.reset(shown);
  stream.fault_code_ = -code;
  const bool is_date = code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID;
  if (stream.context_.check_ == ServerCheck::pin && !is_date) {
    stream.fault_ = kNotPinned;
  } else {
    stream.fault_ = words_of_certificate(stream.role(), code, X509_STORE_CTX_get_error_depth(chain), X509_STORE_CTX_get_current_cert(chain),
                                         stream.context_.server_name_);
  }
  return 0;
}

Stream::State TlsStream::flush() {
  while (written_ < outgoing_.size()) {
    const auto [state, count] = below_->write(std::string_view(outgoing_).substr(written_), {});
    if (state != State::moved) return state;
    written_ += count;
  }
  outgoing_.clear();
  written_ = 0;
  return State::moved;
}

Stream::State TlsStream::state_of(int result) {
  const int error = SSL_get_error(connection_.get(), result);
  const int saved = errno;
  const bool is_waiting = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  if (!is_waiting && error != SSL_ERROR_ZERO_RETURN) {
    is_broken_ = true;
    note_failure(error);
  }
  const State flushed = flush();  // an answer of the protocol, or the alert that says why it ends
  errno = saved;
  if (error == SSL_ERROR_ZERO_RETURN || (is_broken_ && below_ended_)) return State::closed;
  if (is_broken_) return State::failed;
  return flushed == State::moved ? (error == SSL_ERROR_WANT_READ ? State::want_read : State::want_write) : flushed;
}

void TlsStream::note_failure(int error) {
  if (!fault_.empty()) return;
  fault_code_ = ERR_GET_REASON(ERR_peek_last_error());
  const auto first = below_->first_byte();
  if (first && !is_tls_record(*first)) {
    fault_ = words_of_other_protocol(role(), *first);
  } else if (error == SSL_ERROR_SSL) {
    const bool has_certificate = SSL_get_certificate(connection_.get()) != nullptr;
    fault_ = words_of_failure(role(), ERR_GET_REASON(ERR_peek_last_error()), has_certificate);
  }
}

Stream::State TlsStream::open() {
  if (is_open_) return flush();
  ERR_clear_error();
  const int result = SSL_do_handshake(connection_.get());
  if (result != 1) {
    const State state = state_of(result);
    const bool has_ended = state == State::closed || state == State::failed;
    const bool has_met = context_.is_client_ || below_->first_byte();  // else it was a mere look at the port
    if (has_ended && has_met && fault_.empty()) fault_ = words_of_failure(role(), 0, true);
    is_broken_ = is_broken_ || has_ended;
    return state;
  }
  is_open_ = true;
  const State flushed = flush();
  if (context_.check_ != ServerCheck::pin || context_.is_pinned(SSL_get0_peer_certificate(connection_.get()))) return flushed;
  fault_ = kNotPinned;
  is_broken_ = true;
  return State::failed;
}

Stream::Outcome TlsStream::read(char* into, std::size_t size) {
  if (is_broken_) return {State::failed};
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_read_ex(connection_.get(), into, size, &count);
  return result == 1 ? Outcome{State::moved, count} : Outcome{state_of(result)};
}

bool TlsStream::has_pending() {
  if (is_broken_ || !is_open_) return is_broken_;
  ERR_clear_error();
  char byte = 0;
  std::size_t count = 0;
  const int result = SSL_peek_ex(connection_.get(), &byte, 1, &count);
  if (result == 1) return true;
  const State state = state_of(result);
  return state == State::closed || state == State::failed;
}

// Encrypts up to kMostAtOnce bytes and tells of them as moved when all have left.
Stream::Outcome TlsStream::write(std::string_view first, std::string_view second) {
  if (is_broken_) return {State::failed};
  if (encrypted_ == 0) {
    const std::size_t most_of_second = kMostAtOnce - std::min(kMostAtOnce, first.size());
    if (!encrypt(first, second.substr(0, most_of_second))) return {State::failed};
  }
  const State state = flush();
  if (state == State::moved) return {state, std::exchange(encrypted_, 0)};
  return {state};
}

// The last bytes of the first part and the first ones of the second share a record.
bool TlsStream::encrypt(std::string_view first, std::string_view second) {
  first = first.substr(0, kMostAtOnce);
  if (!first.empty() && !second.empty()) {
    const std::size_t shared = first.size() % kRecord;
    const std::size_t of_second = std::min(second.size(), kRecord - shared);
    joined_.assign(first.substr(first.size() - shared));
    joined_.append(second.substr(0, of_second));
    return encrypt(first.substr(0, first.size() - shared)) && encrypt(joined_) && encrypt(second.substr(of_second));
  }
  return encrypt(first) && encrypt(second);
}

bool TlsStream::encrypt(std::string_view bytes) {
  if (bytes.empty()) return true;
  ERR_clear_error();
  std::size_t count = 0;
  const int result = SSL_write_ex(connection_.get(), bytes.data(), bytes.size(), &count);
  if (result != 1) {
    state_of(result);
    is_broken_ = true;
    return false;
  }
  encrypted_ += count;
  return true;
}

// Without the word of its end a peer may take what it got for cut short.
void TlsStream::say_end() {
  if (!is_open_ || is_broken_) return;
  ERR_clear_error();
  SSL_shutdown(connection_.get());
  flush();
}

bool TlsStream::end_writing() {
  say_end();
  return below_->end_writing();
}

TlsPeer TlsStream::peer() const {
  const SSL* connection = connection_.get();
  TlsPeer peer{SSL_get_version(connection), is_open_ ? SSL_get_cipher_name(connection) : "", {}, {}, {}, {}, {}};
  const X509* known = SSL_get0_peer_certificate(connection);
  const X509* certificate = known == nullptr ? shown_.get() : known;
  if (certificate == nullptr) return peer;
  peer.subject = text_of(X509_get_subject_name(certificate));
  peer.names = names_of(certificate);
  peer.issuer = text_of(X509_get_issuer_name(certificate));
  peer.ends = text_of(X509_get0_notAfter(certificate));
  peer.certificate = pem_of(certificate);
  return peer;
}

}  // namespace mercure::dimse
