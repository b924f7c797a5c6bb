/* text.h - UTF-8, and which of it may be shown to people. PURE.
 *
 *     char shown[LIMIT_TEXT];
 *     text_clean(shown, sizeof shown, payload, size);
 */
#ifndef TOCSIN_TEXT_H
#define TOCSIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1..4) of the UTF-8 character (RFC 3629) that `text` begins with; 0 when it is none or `size` is 0.
 */
size_t text_char_size(const char *text, size_t size);

/* The largest size ≤ `limit` at which `text` can be cut without cutting a character. */
size_t text_cut(const char *text, size_t size, size_t limit);

/* A copy of the same size in which every byte that is no UTF-8 has become '?'. */
void text_make_utf8(char *out, const char *text, size_t size);

/* What of `text` may be shown in a terminal, a log or a page: control characters (C0, DEL, C1), line and
 * paragraph separators and characters that turn the direction of writing are left out, bytes that are no
 * UTF-8 become U+FFFD. NUL-terminated, cut between characters. */
void text_clean(char *out, size_t capacity, const char *text, size_t size);

/* Whether text_clean() would leave all of it as it is: a name must look in every log and table as it is. */
bool text_is_plain(const char *text);

#endif
