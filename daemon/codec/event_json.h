/* event_json.h - struct event ↔ one line of the journal (proto/journal.md). PURE.
 *
 * Promises: event_encode() of equal events gives equal bytes; event_decode(event_encode(e)) gives e, and
 * never fails: bytes that are no UTF-8 come back replaced, texts perhaps cut. Every event fits LIMIT_LINE.
 * Keys this version does not know are passed over, so that an older daemon can read a newer journal's extra
 * fields.
 *
 *     char line[LIMIT_LINE + 1];
 *     size_t size = event_encode(&e, line, sizeof line);   // 0: did not fit
 *     if (!event_decode(line, size, &e, why)) …            // why: a sentence
 */
#ifndef TOCSIN_EVENT_JSON_H
#define TOCSIN_EVENT_JSON_H

#include "core/event.h"

size_t event_encode(const struct event *, char *line, size_t capacity);
bool event_decode(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT]);

#endif
