#include "codec/text.h"
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* The character `text` begins with, and its size; size 0 when it is no UTF-8: overlong, a surrogate, beyond
 * U+10FFFF, or cut off (RFC 3629, section 4). */
static uint32_t first_char(const char *text, size_t size, size_t *char_size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)text;
    *char_size = 0;
    if (size == 0)
        return 0;
    if (u[0] < 0x80) {
        *char_size = 1;
        return u[0];
    }
    size_t n = 0;
    if (u[0] >= 0xC2 && u[0] <= 0xF4)
        n = u[0] >= 0xF0 ? 4 : u[0] >= 0xE0 ? 3 : 2;
    if (n == 0 || n > size)
        return 0;
    uint32_t c = u[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3Fu);
    }
    if (c < smallest[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *char_size = n;
    return c;
}

size_t text_char_size(const char *text, size_t size)
{
    size_t n;
    first_char(text, size, &n);
    return n;
}

size_t text_cut(const char *text, size_t size, size_t limit)
{
    if (size <= limit)
        return size;
    for (size_t cut = limit; limit - cut <= 3; cut--) {
        if (((unsigned char)text[cut] & 0xC0) != 0x80)
            return cut;
        if (cut == 0)
            break;
    }
    return limit; /* no UTF-8: any place will do */
}

void text_make_utf8(char *out, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        if ((unsigned char)text[at] < 0x80) {
            out[at] = text[at];
            at++;
            continue;
        }
        size_t n = text_char_size(text + at, size - at);
        if (n)
            memcpy(out + at, text + at, n);
        else
            out[at] = '?';
        at += n ? n : 1;
    }
}

static bool hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

bool text_is_plain(const char *text)
{
    for (size_t n, left = strlen(text); left > 0; text += n, left -= n)
        if (hidden(first_char(text, left, &n)) || n == 0)
            return false;
    return true;
}

void text_clean(char *out, size_t capacity, const char *text, size_t size)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        size_t n;
        uint32_t c = first_char(text + at, size - at, &n);
        const char *piece = n ? text + at : REPLACEMENT;
        size_t piece_size = n ? n : strlen(REPLACEMENT);
        at += n ? n : 1;
        if (n && hidden(c))
            continue;
        if (used + piece_size >= capacity)
            break;
        memcpy(out + used, piece, piece_size);
        used += piece_size;
    }
    out[used] = '\0';
}
