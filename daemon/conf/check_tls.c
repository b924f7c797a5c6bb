/* The TLS files, loaded as libcurl and Paho will load them (the API has GnuTLS, and the same files): what is broken is told
 * here, before an endpoint or the broker cannot be reached with it. A file that could not be used was told of by fill.c; its
 * path is then "". */
#include "conf/check.h"
#include <assert.h>
#ifndef INT_MAX
#define INT_MAX __INT_MAX__ /* of <limits.h>, which err.h needs and our limits.h stands before */
#endif
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <string.h>

#define WRONG(c, where, ...) problem_at((c)->problems, where, __VA_ARGS__)

struct tls_files {
    const char *ca_key, *ca_file, *crl_file, *certificate_key, *certificate_file, *key_key, *key_file;
};

static bool given(const char *path)
{
    return path && *path;
}

/* Nobody is there to type a passphrase; OpenSSL would ask the terminal. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
    return -1;
}

/* Why OpenSSL did not take it; forgets that. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "of another kind";
}

static SSL_CTX *context(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    assert(tls);
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    ERR_clear_error();
    return tls;
}

static void check_authority(const struct check *c, const struct tls_files *f, const struct where *at)
{
    struct where ca = where_key(*at, f->ca_key), crl = where_key(*at, "crl_file");
    SSL_CTX *tls = context();
    X509_LOOKUP *files = X509_STORE_add_lookup(SSL_CTX_get_cert_store(tls), X509_LOOKUP_file());
    assert(files);
    if (given(f->ca_file) && X509_load_cert_file(files, f->ca_file, X509_FILETYPE_PEM) < 1)
        WRONG(c, &ca, "%s cannot be used (OpenSSL: %s); it must be the authority's certificate, in PEM", f->ca_file, reason());
    if (given(f->crl_file) && X509_load_crl_file(files, f->crl_file, X509_FILETYPE_PEM) < 1)
        WRONG(c, &crl, "%s cannot be used (OpenSSL: %s); it must be a list of revoked certificates, in PEM", f->crl_file,
              reason());
    SSL_CTX_free(tls);
}

static void check_certificate(const struct check *c, const struct tls_files *f, const struct where *at)
{
    struct where certificate = where_key(*at, f->certificate_key), key = where_key(*at, f->key_key);
    SSL_CTX *tls = context();
    bool good = SSL_CTX_use_certificate_chain_file(tls, f->certificate_file) == 1;
    if (!good)
        WRONG(c, &certificate, "%s cannot be used (OpenSSL: %s); it must be a certificate, in PEM", f->certificate_file,
              reason());
    if (given(f->key_file)) {
        bool read = SSL_CTX_use_PrivateKey_file(tls, f->key_file, SSL_FILETYPE_PEM) == 1;
        unsigned long error = ERR_peek_last_error();
        bool other = ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH;
        if (!read && !other)
            WRONG(c, &key, "%s cannot be used (OpenSSL: %s); it must be a secret key, in PEM, without a passphrase",
                  f->key_file, reason());
        else if (good && (!read || SSL_CTX_check_private_key(tls) != 1))
            WRONG(c, &key, "%s is not the key of the certificate in %s", f->key_file, f->certificate_file);
    }
    ERR_clear_error();
    SSL_CTX_free(tls);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A thousand endpoints may share the files, which are read, and told of, once. */
static void check_files(const struct check *c, const struct tls_files *f, const struct tls_files *before,
                        const struct where *at)
{
    bool same_authority = before && same(f->ca_file, before->ca_file) && same(f->crl_file, before->crl_file);
    bool same_certificate =
        before && same(f->certificate_file, before->certificate_file) && same(f->key_file, before->key_file);
    if (!same_authority && (given(f->ca_file) || given(f->crl_file)))
        check_authority(c, f, at);
    if (!same_certificate && given(f->certificate_file))
        check_certificate(c, f, at);
}

static struct tls_files files_of_endpoint(const struct conf_endpoint *e)
{
    return (struct tls_files){"ca_file", e->ca_file, e->crl_file, "certificate_file", e->certificate_file, "key_file",
                              e->key_file};
}

static struct tls_files files_of_login(const struct conf_login *login, const char *ca_file)
{
    return (struct tls_files){"ca_file", ca_file, NULL, "certificate_file", login->certificate_file, "key_file",
                              login->key_file};
}

static void check_broker_files(const struct check *c)
{
    const struct conf_broker *b = &c->conf->broker;
    const struct where at = where_key(where_file(0), "broker");
    const struct where supervision = where_key(at, "supervision"), receipts = where_key(at, "receipts");
    struct tls_files files = files_of_login(&b->login, b->ca_file);
    check_files(c, &files, NULL, &at);
    files = files_of_login(&b->supervision, NULL);
    check_files(c, &files, NULL, &supervision);
    files = files_of_login(&b->receipts, NULL);
    check_files(c, &files, NULL, &receipts);
}

void check_tls(const struct check *c)
{
    const struct conf_daemon *d = &c->conf->daemon;
    const struct where daemon = where_key(where_file(0), "daemon");
    const struct tls_files http = {.certificate_key = "http_tls_certificate_file",
                                   .certificate_file = d->http_tls_certificate_file,
                                   .key_key = "http_tls_key_file",
                                   .key_file = d->http_tls_key_file};
    check_files(c, &http, NULL, &daemon);
    check_broker_files(c);
    for (size_t i = 0; i < c->conf->endpoint_count; i++) {
        const struct where at = where_entry(where_file(0), "endpoints", (uint32_t)i);
        struct tls_files files = files_of_endpoint(&c->conf->endpoints[i]), before;
        if (i > 0)
            before = files_of_endpoint(&c->conf->endpoints[i - 1]);
        check_files(c, &files, i > 0 ? &before : NULL, &at);
    }
}
