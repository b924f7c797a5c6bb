/* event_line.h - reads a line that is exactly as event_encode() writes it, without a parser's tree: the
 * engine reads every line back, and a start reads many thousands. PURE.
 *
 * Promises: what it takes is the same event that event_decode_any() makes of the line. It takes no
 * oddities, no text with an escape or a byte from 0x80 on, and nothing that event_encode() would have written
 * in another way: then it says false, which means nothing about the line, and leaves anything in `out`.
 */
#ifndef TOCSIN_EVENT_LINE_H
#define TOCSIN_EVENT_LINE_H

#include "core/event.h"

bool event_line_read(const char *line, size_t size, struct event *out);

#endif
