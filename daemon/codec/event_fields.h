/* event_fields.h - which fields an event of each type has in its line, and where they stand in struct event:
 * the one table that event_json.c writes and reads by, and event_line.c reads by. Nobody else includes it.
 * PURE. */
#ifndef TOCSIN_EVENT_FIELDS_H
#define TOCSIN_EVENT_FIELDS_H

#include "core/event.h"

/* How a member looks as JSON and as C. */
enum shape {
    SHAPE_NAME,     /* char[]: an id or a hash; one that does not fit is an error */
    SHAPE_TEXT,     /* char[]: for people; one that does not fit is cut */
    SHAPE_UNSIGNED, /* uint16_t, uint32_t, uint64_t, by size */
    SHAPE_SIGNED,   /* int, int64_t */
    SHAPE_TIME,     /* int64_t, 0 = null */
    SHAPE_WORD,     /* an enum with names */
    SHAPE_BOOL,
    SHAPE_ODD,  /* bit set of enum oddity: a list of names */
    SHAPE_PLAN, /* struct plan */
};

enum presence {
    ALWAYS,
    UNLESS, /* left out when it is `usual`; `usual` when it is missing */
};

struct field {
    const char *name;
    enum shape shape;
    uint16_t offset, size;
    enum presence presence;
    int64_t usual;
    uint32_t types; /* bit set of the event types that have it; 0 = all of this list */
    const char *(*word)(unsigned);
    bool (*word_of)(const char *, unsigned *);
};

/* In the order in which they are written; lists end with a field without a name. */
extern const struct field event_head_fields[];
const struct field *event_fields_of(enum event_type);
bool event_has_field(const struct event *, const struct field *);

/* The number behind a field of any numeric shape. */
int64_t event_load(const struct field *, const void *place);
bool event_store(const struct field *, void *place, int64_t value); /* false: out of the range of the field */

/* event_decode() by a JSON parser, whatever the line looks like. */
bool event_decode_any(const char *line, size_t size, struct event *out, char why[LIMIT_TEXT]);

#endif
