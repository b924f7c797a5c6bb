/* json_plain.h - reads a flat JSON object without a parser's tree, when it is as plain as what buttons send: most of
 * them are, and building a tree takes more time than all else that is done with a press before it is recorded. PURE.
 *
 * Promises: what it takes is a JSON object for every reader, and `member` hears of each of its members, in order.
 * It takes texts of printable ASCII without an escape, whole numbers of at most 15 digits without a sign, true and
 * false. For anything else it says false, which means nothing about the object: json_in_object() has to look at it.
 *
 *     if (!json_plain_object(payload, size, take, &press))
 *         press = …;   // forget what take() made of it, and read it with json_in.h
 */
#ifndef TOCSIN_JSON_PLAIN_H
#define TOCSIN_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

enum json_value_type { JSON_VALUE_TEXT, JSON_VALUE_NUMBER, JSON_VALUE_TRUTH, JSON_VALUE_OTHER };

struct json_value {
    enum json_value_type type;
    const char *text; /* points into the payload; no NUL behind it */
    size_t size;
    double number;
    bool truth;
};

/* False: read it with a parser after all. A name may come twice: that is for the caller to find. */
typedef bool json_member_fn(void *ctx, const char *name, size_t name_size, const struct json_value *);

bool json_plain_object(const char *text, size_t size, json_member_fn *member, void *ctx);

#endif
