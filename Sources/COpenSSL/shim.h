#ifndef WSLINE_COPENSSL_H
#define WSLINE_COPENSSL_H

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift imports neither function-like macros nor casts between C pointer types. Each wrapper below stands for one such macro and does
// nothing of its own.

// SSL_set_tlsext_host_name is a macro over SSL_ctrl.
static inline long wsline_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name);
}

// What a context is set to by macros over SSL_CTX_ctrl, and by SSL_OP_ constants, which are casts inside a macro.
static inline void wsline_SSL_CTX_set_up(SSL_CTX *context, int minimum, long modes, int has_tickets) {
    (void)SSL_CTX_set_min_proto_version(context, minimum);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | (has_tickets ? 0 : SSL_OP_NO_TICKET));
    (void)SSL_CTX_set_mode(context, modes);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_read_ahead(context, 1);
}

// XN_FLAG_RFC2253 is an expression over casts, which Swift can't import; ASN1_STRFLGS_ESC_CTRL in it keeps a peer's control characters out.
static inline int wsline_X509_NAME_print(BIO *out, const X509_NAME *name) {
    return X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ);
}

// BIO_set_ssl is a macro over BIO_ctrl: it lays a TLS session under a BIO, so that another one can run inside it.
static inline long wsline_BIO_set_ssl(BIO *bio, SSL *ssl) {
    return BIO_set_ssl(bio, ssl, BIO_NOCLOSE);
}

// BIO_get_mem_data is a macro over BIO_ctrl.
static inline long wsline_BIO_get_mem_data(BIO *bio, char **data) {
    return BIO_get_mem_data(bio, data);
}

// EVP loads OpenSSL's providers before its first digest, which takes a millisecond of each run; the older calls below don't. They are deprecated
// as an interface since 3.0, so a compiler would warn; where OpenSSL was built without them EVP serves. Returns 1, or 0 where SHA-1 is refused.
static inline int wsline_SHA1(const void *data, size_t count, unsigned char digest[SHA_DIGEST_LENGTH]) {
#ifdef OPENSSL_NO_DEPRECATED_3_0
    return EVP_Digest(data, count, digest, NULL, EVP_sha1(), NULL);
#else
    SHA_CTX context;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return SHA1_Init(&context) && SHA1_Update(&context, data, count) && SHA1_Final(digest, &context);
#pragma GCC diagnostic pop
#endif
}

// GENERAL_NAMES is a type-safe stack, whose accessors are macros.
static inline int wsline_GENERAL_NAMES_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

static inline GENERAL_NAME *wsline_GENERAL_NAMES_get(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

#endif
