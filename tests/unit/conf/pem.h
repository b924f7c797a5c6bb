/* pem.h - TLS files for a test of the configuration, made anew in each run: a certificate that vouches for itself, its secret
 * key, the same with a passphrase, keys of others, and an empty list of revoked certificates. */
#ifndef TEST_CONF_PEM_H
#define TEST_CONF_PEM_H

#include <assert.h>
#ifndef INT_MAX
#define INT_MAX __INT_MAX__ /* of <limits.h>, which OpenSSL needs and our limits.h stands before */
#endif
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct pem {
    char certificate[2048], key[1024], locked_key[1024], other_key[1024], ed25519_key[1024], crl[1024];
};

static inline void pem_take(BIO *from, char *out, size_t size)
{
    int got = BIO_read(from, out, (int)size - 1);
    assert(got > 0);
    out[got] = '\0';
    BIO_free(from);
}

static inline void pem_of_key(EVP_PKEY *key, const char *passphrase, char out[1024])
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
    int good = PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
    assert(good == 1);
    pem_take(bio, out, 1024);
}

static inline void pem_of_certificate(EVP_PKEY *key, char out[2048])
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"tocsin.test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    int size = X509_sign(certificate, key, EVP_sha256());
    assert(size > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    pem_take(bio, out, 2048);
    X509_free(certificate);
}

static inline void pem_of_crl(EVP_PKEY *key, char out[1024])
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0), *tomorrow = X509_gmtime_adj(NULL, 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"tocsin.test", -1, -1, 0);
    X509_CRL_set_issuer_name(crl, name);
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, tomorrow);
    int size = X509_CRL_sign(crl, key, EVP_sha256());
    assert(size > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(bio, crl);
    pem_take(bio, out, 1024);
    ASN1_TIME_free(now);
    ASN1_TIME_free(tomorrow);
    X509_NAME_free(name);
    X509_CRL_free(crl);
}

static inline struct pem pem_make(void)
{
    struct pem p;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256"), *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert(key && other && ed25519);
    pem_of_key(key, NULL, p.key);
    pem_of_key(key, "secret", p.locked_key);
    pem_of_key(other, NULL, p.other_key);
    pem_of_key(ed25519, NULL, p.ed25519_key);
    pem_of_certificate(key, p.certificate);
    pem_of_crl(key, p.crl);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(ed25519);
    return p;
}

#endif
