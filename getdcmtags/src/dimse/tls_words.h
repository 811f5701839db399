// What went wrong with TLS, in the words of a person, each with what to do.
#ifndef MERCURE_DIMSE_TLS_WORDS_H
#define MERCURE_DIMSE_TLS_WORDS_H

#include <openssl/x509.h>

#include <string>
#include <vector>

namespace mercure::dimse {

// Who the peer is for us; the words depend on it.
enum class TlsRole : std::uint8_t { client, server };

// The subject of a certificate or its issuer, as RFC 2253 writes it, safe to show.
std::string text_of(const X509_NAME* name);

// Subject alternative names: DNS names, addresses, URIs and mail addresses.
std::vector<std::string> names_of(const X509* certificate);

// An instant such as "2027-01-31T12:00:00Z".
std::string text_of(const ASN1_TIME* time);

// Why a certificate is not believed. `code`: X509_V_ERR_…; `depth`: 0 is the peer's own; `wanted`: the name that was looked for.
std::string words_of_certificate(TlsRole role, int code, int depth, const X509* certificate, const std::string& wanted);

// Why a handshake or a connection failed. `reason`: SSL_R_…, 0 when there is none.
std::string words_of_failure(TlsRole role, int reason, bool has_certificate);

// What the first byte of a peer that does not speak TLS says.
std::string words_of_other_protocol(TlsRole role, unsigned char first_byte);

// Tells whether a connection with this first byte speaks TLS (RFC 8446 section 5.1).
bool is_tls_record(unsigned char first_byte);

}  // namespace mercure::dimse

#endif
