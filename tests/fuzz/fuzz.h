/* fuzz.h - what the targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput(). It gives the bytes to a decoder and holds what comes
 * out against a promise: must() ends the process with a sentence, and the fuzzer keeps the input. The input's
 * first bytes are what came from outside, so that an example of proto/ is an input as it stands; what chooses
 * how it is used (a status, a moment, an edit) is taken from its end.
 *
 *     unsigned status = fuzz_take(data, &size);   // the last byte, 0 when there is none
 *     must(answer.text[0], "a failure leaves a sentence");
 *
 * Several texts in one input are divided by the byte 0x1e:
 *
 *     struct fuzz_parts parts = {data, size};
 *     while (fuzz_part(&parts, &text, &text_size)) …
 */
#ifndef TOCSIN_FUZZ_H
#define TOCSIN_FUZZ_H

#include "codec/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv); /* targets that prepare something */

#define must(condition, ...)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: broken promise: ", __FILE__, __LINE__);                                  \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fprintf(stderr, "\n");                                                                           \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static inline unsigned fuzz_take(const uint8_t *data, size_t *size)
{
    return *size ? data[--*size] : 0;
}

static inline uint64_t fuzz_take_number(const uint8_t *data, size_t *size, unsigned bytes)
{
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | fuzz_take(data, size);
    return number;
}

struct fuzz_parts {
    const uint8_t *at;
    size_t left;
    bool over;
};

static inline bool fuzz_part(struct fuzz_parts *p, const char **text, size_t *size)
{
    if (p->over)
        return false;
    const uint8_t *end = p->left ? memchr(p->at, 0x1e, p->left) : NULL;
    *text = (const char *)p->at;
    *size = end ? (size_t)(end - p->at) : p->left;
    p->over = !end;
    p->at += *size + !!end;
    p->left -= *size + !!end;
    return true;
}

/* Text that people will see: ended, UTF-8, without control characters. */
static inline void fuzz_must_be_clean(const char *what, const char *text, size_t capacity)
{
    char again[8192];
    size_t size = strnlen(text, capacity);
    must(size < capacity, "%s has no end", what);
    must(size < sizeof again, "%s is longer than this can look at", what);
    text_clean(again, sizeof again, text, size);
    must(strcmp(text, again) == 0, "%s may not be shown: \"%s\" should be \"%s\"", what, text, again);
}

static inline bool fuzz_is_id(const char *text, size_t capacity)
{
    size_t size = strnlen(text, capacity);
    return size > 0 && size < capacity &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

#endif
