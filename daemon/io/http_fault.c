#include "io/http_fault.h"
#include "codec/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Verify results of OpenSSL (x509_vfy.h), as libcurl hands them on. */
static const struct {
    long result;
    const char *text;
} certificate_faults[] = {
    {2, "the certificate of %s was not issued by an authority of ca_file"},
    {3, "crl_file has no revocation list of the authority that issued the certificate of %s"},
    {7, "the certificate of %s has a wrong signature"},
    {9, "the certificate of %s is not yet valid: check the clocks on both sides"},
    {10, "the certificate of %s has expired; it must be renewed there"},
    {11, "the revocation list in crl_file, for %s, is not yet valid: check the clock"},
    {12, "the revocation list in crl_file, for %s, has expired; fetch the new one"},
    {18, "the certificate of %s is self-signed; ca_file must name the authority, or that very certificate"},
    {19, "the certificate of %s comes from an authority that is not in ca_file"},
    {20, "the certificate of %s was not issued by an authority of ca_file"},
    {21, "the certificate of %s was not issued by an authority of ca_file"},
    {23, "the certificate of %s has been revoked"},
    {62, "the certificate of %s is for another host"},
};

static const struct {
    int number;
    const char *text;
} connect_faults[] = {
    {ECONNREFUSED, "connection refused at %s"},
    {EHOSTUNREACH, "no way to the host %s"},
    {ENETUNREACH, "no way to the network of %s"},
    {ECONNRESET, "the connection to %s was reset while it was made"},
    {EMFILE, "no free file descriptor for a connection to %s"},
    {ENFILE, "no free file descriptor for a connection to %s"},
    {EACCES, "a firewall of this machine forbids a connection to %s"},
    {EPERM, "a firewall of this machine forbids a connection to %s"},
};

static const struct {
    CURLcode code;
    const char *text;
} plain_faults[] = {
    {CURLE_URL_MALFORMAT, "the url %s cannot be understood"},
    {CURLE_UNSUPPORTED_PROTOCOL, "%s did not answer in HTTP/1.1"},
    {CURLE_WEIRD_SERVER_REPLY, "%s did not answer in HTTP"},
    {CURLE_COULDNT_RESOLVE_HOST, "the name of %s has no address (DNS)"},
    {CURLE_GOT_NOTHING, "%s closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, "%s broke off in the middle of its answer"},
    {CURLE_SEND_ERROR, "%s broke the connection before its answer"},
    {CURLE_RECV_ERROR, "%s broke the connection before its answer"},
    {CURLE_OUT_OF_MEMORY, "%s sent too long a line of headers, or there is no memory for its answer"},
    {CURLE_BAD_CONTENT_ENCODING, "%s answered in an encoding that was not asked for"},
};

/* Peers, and libraries that quote them, can put anything into a message. */
static void append_clean(char out[LIMIT_TEXT], const char *message)
{
    size_t size = strlen(out);
    text_clean(out + size, LIMIT_TEXT - size, message, strlen(message));
}

static void with_place(char out[LIMIT_TEXT], const char *format, const char *place)
{
    const char *at = strstr(format, "%s");
    snprintf(out, LIMIT_TEXT, "%.*s%.*s%s", (int)(at - format), format, LIMIT_TEXT / 2, place, at + 2);
}

static void certificate_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    long result = 0;
    curl_easy_getinfo(facts->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    for (size_t i = 0; i < sizeof certificate_faults / sizeof certificate_faults[0]; i++)
        if (result == certificate_faults[i].result) {
            with_place(out, certificate_faults[i].text, facts->place);
            return;
        }
    if (strstr(facts->message, "subject name")) { /* libcurl looks at names itself */
        with_place(out, "the certificate of %s is for another host", facts->place);
        return;
    }
    with_place(out, "the certificate of %s cannot be trusted: ", facts->place);
    append_clean(out, facts->message);
}

static void connect_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    long number = 0;
    curl_easy_getinfo(facts->easy, CURLINFO_OS_ERRNO, &number);
    for (size_t i = 0; i < sizeof connect_faults / sizeof connect_faults[0]; i++)
        if (number == connect_faults[i].number) {
            with_place(out, connect_faults[i].text, facts->place);
            return;
        }
    with_place(out, "no connection to %s: ", facts->place);
    append_clean(out, number ? strerror((int)number) : facts->message);
}

static void timeout_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    curl_off_t connected_us = 0, ready_us = 0, first_byte_us = 0;
    double lookup_s = 0;
    curl_easy_getinfo(facts->easy, CURLINFO_NAMELOOKUP_TIME, &lookup_s);
    curl_easy_getinfo(facts->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    curl_easy_getinfo(facts->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us); /* all there is of a kept connection */
    curl_easy_getinfo(facts->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    const char *what = "no answer from %s";
    unsigned limit_ms = facts->timeout_ms;
    if (lookup_s <= 0)
        what = "the name server did not say the address of %s";
    else if (connected_us <= 0 && ready_us <= 0)
        what = "no connection to %s";
    else if (strstr(facts->message, "SSL connection timeout"))
        what = "no encrypted connection to %s";
    else if (first_byte_us > 0)
        what = "no whole answer from %s";
    if (what[0] == 'n' && strstr(what, "connection") && facts->options->connect_timeout_ms < limit_ms)
        limit_ms = facts->options->connect_timeout_ms;
    with_place(out, what, facts->place);
    size_t size = strlen(out);
    snprintf(out + size, LIMIT_TEXT - size, " within %u.%u s", limit_ms / 1000, limit_ms % 1000 / 100);
}

static void file_text(char out[LIMIT_TEXT], const char *key, const char *file)
{
    snprintf(out, LIMIT_TEXT, "%s cannot be used: %.180s must be readable PEM", key, file);
}

static bool excess_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    switch (facts->excess) {
    case HTTP_EXCESS_NONE:
        return false;
    case HTTP_EXCESS_STATUS:
        with_place(out, "%s did not answer in HTTP: it gave no status", facts->place);
        return true;
    case HTTP_EXCESS_HEAD:
        with_place(out, "%s sent more than 64 KiB of headers", facts->place);
        return true;
    case HTTP_EXCESS_BODY:
        with_place(out, "%s sent an answer of more than 64 KiB", facts->place);
        return true;
    case HTTP_EXCESS_FRAMING:
        with_place(out, "%s gave the length of its answer in two ways (Content-Length and Transfer-Encoding)",
                   facts->place);
        return true;
    case HTTP_EXCESS_CR:
        with_place(out, "%s sent a header line that begins with CR: where the headers end is not clear", facts->place);
        return true;
    }
    return false;
}

/* Many servers end a new encrypted connection without a word when they miss a certificate. */
static void add_client_hint(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    char *scheme = NULL;
    long new_connections = 0;
    curl_easy_getinfo(facts->easy, CURLINFO_SCHEME, &scheme);
    curl_easy_getinfo(facts->easy, CURLINFO_NUM_CONNECTS, &new_connections);
    bool ended = facts->code == CURLE_GOT_NOTHING || facts->code == CURLE_RECV_ERROR ||
                 facts->code == CURLE_SEND_ERROR;
    if (!ended || new_connections == 0 || !scheme || strcasecmp(scheme, "https") != 0)
        return;
    append_clean(out, facts->options->certificate_file[0]
                          ? "; perhaps it does not accept our client certificate"
                          : "; perhaps it wants a client certificate");
}

/* A TLS peer says no by an alert, at any time; libcurl then has one code or the other and the alert in its
 * message. */
static bool tls_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    const char *message = facts->message;
    if (strstr(message, "certificate required") || strstr(message, "bad certificate") ||
        strstr(message, "alert unknown ca") || strstr(message, "alert handshake failure"))
        with_place(out, "%s does not accept our client certificate: check certificate_file and key_file",
                   facts->place);
    else if (strstr(message, "protocol version") || strstr(message, "unsupported protocol") ||
             strstr(message, "wrong version number"))
        with_place(out, "%s does not speak TLS 1.2 or newer on that port", facts->place);
    else if (strstr(message, "SSL_ERROR_SYSCALL"))
        with_place(
            out,
            "%s broke off while the encrypted connection was made: it may want another TLS version, or a "
            "client certificate",
            facts->place);
    else if (facts->code == CURLE_SSL_CONNECT_ERROR) {
        with_place(out, "no encrypted connection to %s: ", facts->place);
        append_clean(out, message);
    } else
        return false;
    return true;
}

void http_fault_text(char out[LIMIT_TEXT], const struct http_fault_facts *facts)
{
    if (excess_text(out, facts))
        return;
    if (facts->refused && facts->code == CURLE_COULDNT_CONNECT) {
        with_place(out, "the name of %s leads to ", facts->place);
        append_clean(out, facts->refused_address);
        append_clean(out, ", ");
        append_clean(out, facts->refused);
        append_clean(out, ": not told there; if that is right, see its key network");
        return;
    }
    if (strstr(facts->message, "chunked-encoding")) {
        with_place(out, "%s did not answer in HTTP/1.1: its chunks are wrong", facts->place);
        return;
    }
    for (size_t i = 0; i < sizeof plain_faults / sizeof plain_faults[0]; i++)
        if (facts->code == plain_faults[i].code) {
            if (tls_text(out, facts))
                return;
            with_place(out, plain_faults[i].text, facts->place);
            add_client_hint(out, facts);
            return;
        }
    if (facts->code == CURLE_OPERATION_TIMEDOUT)
        timeout_text(out, facts);
    else if (facts->code == CURLE_COULDNT_CONNECT)
        connect_text(out, facts);
    else if (facts->code == CURLE_PEER_FAILED_VERIFICATION)
        certificate_text(out, facts);
    else if (facts->code == CURLE_SSL_CACERT_BADFILE)
        file_text(out, "ca_file", facts->options->ca_file);
    else if (facts->code == CURLE_SSL_CRL_BADFILE)
        file_text(out, "crl_file", facts->options->crl_file);
    else if (facts->code == CURLE_SSL_CERTPROBLEM)
        file_text(out, "certificate_file or key_file", facts->options->certificate_file);
    else if (!tls_text(out, facts)) {
        with_place(out, "no good answer from %s: ", facts->place);
        append_clean(out, facts->message[0] ? facts->message : curl_easy_strerror(facts->code));
    }
}
