#include "dimse/tls_words.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>

#include "tags/printable.h"
#include "tags/transcoder.h"

namespace mercure::dimse {

namespace {

constexpr std::size_t kLongestText = 512;
constexpr std::size_t kMostNames = 20;

std::string shown(std::string_view bytes) {
  std::string valid;
  tags::append_utf8(std::string(bytes.substr(0, kLongestText)), valid);
  return tags::printable(valid);
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What is said of a certificate at `depth`.
std::string owner_of(TlsRole role, int depth, const X509* certificate) {
  if (depth > 0 && certificate != nullptr) return "the certificate of " + text_of(X509_get_subject_name(certificate)) + ", which signed it,";
  return role == TlsRole::client ? "its certificate" : "the certificate of the sender";
}

std::string issuer_of(const X509* certificate) {
  return certificate == nullptr ? "an unknown authority" : text_of(X509_get_issuer_name(certificate));
}

std::string unknown_authority(TlsRole role, const X509* certificate) {
  return " is signed by " + issuer_of(certificate) + ", whom we do not know: the file 'ca' must hold the certificate of that authority" +
         (role == TlsRole::client ? ", and the target must send all that lie between" : "");
}

std::string self_signed(TlsRole role) {
  const std::string mend = role == TlsRole::client ? "put it into the file 'ca', or pin it ('verify': pin)" : "put it into the file 'ca'";
  return " is signed by itself, and we do not know it: when it is the right one, " + mend;
}

std::string wrong_name(const X509* certificate, const std::string& wanted) {
  const auto names = certificate == nullptr ? std::vector<std::string>() : names_of(certificate);
  const std::string has = names.empty() ? "no name (subject alternative name)" : list_of(names);
  return " is for " + has + ", and not for " + wanted +
         ": set 'server_name' to a name in it, or have one made that has " + wanted;
}

// Alerts of the peer (RFC 8446 section 6) and our own findings, for each role: client, server.
struct Words {
  int reason;
  const char* as_client;
  const char* as_server;
};

constexpr char kTargetOld[] = "it has no version of TLS in common with us: it must offer TLS 1.2 or 1.3";
constexpr char kSenderOld[] = "the sender has no version of TLS in common with us: it must offer TLS 1.2 or 1.3";
constexpr char kTargetCiphers[] = "it has no cipher in common with us: it must offer AES-GCM or ChaCha20 with ECDHE";
constexpr char kSenderCiphers[] = "the sender has no cipher in common with us: it must offer AES-GCM or ChaCha20 with ECDHE";
constexpr char kTargetRefuses[] = "it refuses our certificate: it must know the authority that signed it; look at 'certificate' of the target";
constexpr char kSenderRefuses[] =
    "the sender does not believe our certificate: it must know the authority that signed it, and the name or address by which it calls "
    "us must be in it";
constexpr char kTargetWants[] = "it wants a certificate from us: set 'certificate' and 'key' of the target";
constexpr char kSenderShowsNone[] = "the sender shows no certificate, and 'clients' of the receiver requires one: give the sender one";

constexpr std::array<Words, 24> kWords{{
    {SSL_R_UNSUPPORTED_PROTOCOL, kTargetOld, kSenderOld},
    {SSL_R_WRONG_SSL_VERSION, kTargetOld, kSenderOld},
    {SSL_R_VERSION_TOO_LOW, kTargetOld, kSenderOld},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, kTargetOld, kSenderOld},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, kTargetOld, kSenderOld},
    {SSL_R_NO_SHARED_CIPHER, kTargetCiphers, kSenderCiphers},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, kTargetCiphers, kSenderCiphers},
    {SSL_R_NO_SHARED_GROUPS, kTargetCiphers, kSenderCiphers},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, kTargetCiphers, kSenderCiphers},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, kTargetRefuses, kSenderRefuses},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, kTargetRefuses, kSenderRefuses},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "it says that our certificate is revoked: have a new one signed",
     "the sender says that our certificate is revoked: have a new one signed"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "it says that our certificate has expired: have a new one signed",
     "the sender says that our certificate has expired: have a new one signed, and check its clock"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, kTargetRefuses, kSenderRefuses},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, kTargetRefuses, kSenderRefuses},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, kTargetRefuses, kSenderRefuses},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, kTargetRefuses, kSenderRefuses},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, kTargetWants, kSenderRefuses},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, kTargetWants, kSenderShowsNone},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "it does not know the name that we call it by: set 'server_name'", kSenderRefuses},
    {SSL_R_TLSV1_ALERT_INTERNAL_ERROR, "it has trouble of its own with TLS (internal error): its log will say why",
     "the sender has trouble of its own with TLS (internal error): its log will say why"},
    {SSL_R_TLSV1_ALERT_USER_CANCELLED, "it ended the handshake: its log will say why", "the sender ended the handshake"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, kTargetCiphers, kSenderCiphers},
    {SSL_R_NO_CIPHERS_AVAILABLE, "this machine offers no cipher that is safe enough: look at its OpenSSL",
     "this machine offers no cipher that is safe enough: look at its OpenSSL"},
}};

}  // namespace

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return size > 0 ? shown({bytes, static_cast<std::size_t>(size)}) : std::string();
}

std::vector<std::string> names_of(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)), GENERAL_NAMES_free);
  std::vector<std::string> names;
  const int count = all ? sk_GENERAL_NAME_num(all.get()) : 0;
  for (int place = 0; place < count && names.size() < kMostNames; ++place) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), place), &type);
    if (type != GEN_DNS && type != GEN_URI && type != GEN_EMAIL && type != GEN_IPADD) continue;
    const auto* string = static_cast<const ASN1_STRING*>(value);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(string));
    const unsigned char* bytes = ASN1_STRING_get0_data(string);
    if (type != GEN_IPADD) {
      names.push_back(shown({reinterpret_cast<const char*>(bytes), size}));
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (size == 4 || size == 16) names.emplace_back(inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text.data(), text.size()));
  }
  return names;
}

std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string words_of_certificate(TlsRole role, int code, int depth, const X509* certificate, const std::string& wanted) {
  const std::string owner = owner_of(role, depth, certificate);
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return owner + " expired on " + text_of(X509_get0_notAfter(certificate)) + ": have it renewed there, and check the clock of this machine";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return owner + " is valid from " + text_of(X509_get0_notBefore(certificate)) + " only: check the clocks of both machines";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return owner + wrong_name(certificate, wanted);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return owner + self_signed(role);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return owner + unknown_authority(role, certificate);
    case X509_V_ERR_INVALID_PURPOSE:
      return owner + " is not one for a " + (role == TlsRole::client ? "server" : "client") +
             " (extended key usage): have one made that is";
    case X509_V_ERR_CERT_REVOKED:
      return owner + " was revoked by " + issuer_of(certificate) + ", says the file 'crl': have a new one signed, and find out why";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return owner + " cannot be checked: the file 'crl' holds no list of " + issuer_of(certificate) + ": get it from there";
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return owner + " cannot be checked: the list of " + issuer_of(certificate) +
             " in the file 'crl' has expired: get a new one from there, and check the clock of this machine";
    default: return owner + " is not believed: " + X509_verify_cert_error_string(code);
  }
}

std::string words_of_failure(TlsRole role, int reason, bool has_certificate) {
  const bool is_client = role == TlsRole::client;
  // Before TLS 1.3 a server that misses our certificate says no more than that.
  if (is_client && reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE && !has_certificate) {
    return std::string(kTargetCiphers) + ", or " + kTargetWants;
  }
  for (const Words& words : kWords) {
    if (words.reason == reason) return is_client ? words.as_client : words.as_server;
  }
  const std::string who = is_client ? "it" : "the sender";
  if (reason == 0) return who + " closed the connection in the middle of the handshake" + (is_client ? ": does it speak TLS on this port?" : "");
  const char* text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  return who + " does not keep to TLS: " + (text == nullptr ? "reason " + std::to_string(reason) : std::string(text));
}

bool is_tls_record(unsigned char first_byte) { return first_byte >= 20 && first_byte <= 24; }

std::string words_of_other_protocol(TlsRole role, unsigned char first_byte) {
  const bool is_dicom = first_byte >= 1 && first_byte <= 7;  // types of PDU (PS3.8 section 9.3)
  if (role == TlsRole::client) {
    return std::string("what answers is not TLS") + (is_dicom ? " but DICOM without it" : "") +
           ": take its port for TLS, or remove 'tls' from the target";
  }
  return is_dicom ? "the sender speaks DICOM without TLS at the port for TLS: switch on TLS there, or have it call the other port"
                  : "what the sender says at the port for TLS is not TLS";
}

}  // namespace mercure::dimse
