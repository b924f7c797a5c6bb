/* press.h - what a button says and hears, as pure functions: the payload of a press, the stages of its
 * receipts. */
#ifndef TOCSIN_CLI_PRESS_H
#define TOCSIN_CLI_PRESS_H

#include "core/kind.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct press_words {
    const char *site, *device, *epoch;
    uint64_t n;
    const char *kind; /* NULL = the device's own */
    enum mode mode;
    int64_t at_ms;
    const unsigned char *key; /* 32 bytes; NULL = not signed */
};

/* The JSON of proto/mqtt.md; malloc'd. */
char *press_payload(const struct press_words *);

struct receipt {
    char stage[16], alarm[LIMIT_ALARM_ID];
};
/* True: it is a receipt for this press, or for the alarm it went to. */
bool receipt_read(const void *payload, size_t size, const char *epoch, uint64_t n, const char *alarm,
                  struct receipt *out);

/* 0 … in the order of an alarm's life; -1 = not a stage one can wait for. */
int stage_rank(const char *stage);

#endif
