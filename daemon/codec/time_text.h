/* time_text.h - moments as people and protocols write them (RFC 3339), in UTC. PURE: never reads a clock. */
#ifndef TOCSIN_TIME_TEXT_H
#define TOCSIN_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT 32 /* bytes, with NUL */

/* "2026-11-23T08:00:00.123Z". Years 0001..9999; outside of them the nearest end. */
void time_text(char out[TIME_TEXT], int64_t at_ms);
/* RFC 3339 date-time with any offset and any number of fraction digits. False: not one. */
bool time_of_text(const char *text, size_t size, int64_t *at_ms);

#endif
