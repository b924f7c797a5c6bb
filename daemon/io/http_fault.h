/* http_fault.h - why a request had no answer, as half a sentence for a person. Knows libcurl's and OpenSSL's
 * numbers, so that nobody else has to. */
#ifndef TOCSIN_HTTP_FAULT_H
#define TOCSIN_HTTP_FAULT_H

#include "io/http_client.h"
#include <curl/curl.h>

/* What of the answer was against the rules; the library itself would have taken it. */
enum http_excess {
    HTTP_EXCESS_NONE,
    HTTP_EXCESS_STATUS,
    HTTP_EXCESS_HEAD,
    HTTP_EXCESS_BODY,
    HTTP_EXCESS_FRAMING,
    HTTP_EXCESS_CR
};

struct http_fault_facts {
    CURL *easy;
    CURLcode code;
    enum http_excess excess;
    const char *refused_address, *refused; /* where the name led, and why it may not; NULL = nowhere */
    const char *place;   /* host:port */
    const char *message; /* the library's own words, "" = none */
    const struct http_client_options *options;
    unsigned timeout_ms;
};

/* "connection refused at 127.0.0.1:9000". Control characters of `message` are left out. */
void http_fault_text(char out[LIMIT_TEXT], const struct http_fault_facts *);

#endif
