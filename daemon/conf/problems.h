/* problems.h - what is wrong, gathered while loading and told in the order of the files.
 *
 * A problem that was found in loaded values knows its place as a path (sites, 3rd, devices, 17th, zone). Its
 * line is looked up once, at the end, for the problems that will be printed.
 *
 *     struct where w = where_key(where_entry(where_file(0), "sites", 3), "plan");
 *     problem_at(&p, &w, "no plan has this id");
 *     problem_line(&p, "/etc/tocsin/keys", 12, "", "…");   // a line that is known
 *
 * What is told becomes a trouble: all desks are shown it, endpoints are told it, and the journal keeps it. So a problem
 * quotes nothing that may be a secret, also none that somebody has put into the wrong place.
 */
#ifndef TOCSIN_PROBLEMS_H
#define TOCSIN_PROBLEMS_H

#include "conf/arena.h"
#include "conf/conf.h"
#include <stdint.h>

#define WHERE_DEPTH 4 /* sites, devices, zone: three; one to spare */
#define WHERE_WHOLE UINT32_MAX

struct where_step {
    const char *key;
    uint32_t entry; /* of a list; WHERE_WHOLE = the key itself */
};

struct where {
    uint32_t file; /* index of a struct source */
    uint32_t depth;
    struct where_step steps[WHERE_DEPTH];
};

struct where where_file(uint32_t file);
struct where where_key(struct where, const char *key);
struct where where_entry(struct where, const char *key, uint32_t entry);

struct problem {
    const char *file; /* NULL: of `where` */
    const char *key;  /* dotted, "" = none */
    const char *text;
    unsigned line;  /* 0 = not known yet, or the whole file */
    uint32_t order; /* in which it was found */
    struct where where;
};

struct problems {
    struct arena arena;
    bool at_start; /* conf.h */
    size_t count; /* how many there were; the first CONF_PROBLEMS are kept */
    struct problem kept[CONF_PROBLEMS];
};

void problem_at(struct problems *, const struct where *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void problem_line(struct problems *, const char *file, unsigned line, const char *key, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* Sorts, makes the sentences "file:line: key: text" (line and key where there are any; fit to be shown), frees
 * all. */
void problems_tell(struct problems *, struct conf_problems *out);

/* The one of `count` names that is most likely meant by `text`; NULL when none is near. */
typedef const char *problem_name_fn(const void *ctx, size_t index);
const char *problem_nearest(const char *text, problem_name_fn *, const void *ctx, size_t count);
/* `; did you mean "x"?`, or `otherwise` when nothing is near. The text lives as long as the problems. */
const char *problem_hint(struct problems *, const char *text, problem_name_fn *, const void *ctx,
                         size_t count, const char *otherwise);
/* A value as it may be shown: cut, without control characters. */
const char *problem_quote(struct problems *, const char *text);
/* An address as it may be shown: as far as its host; not at all when a password may stand in it. */
const char *problem_quote_address(struct problems *, const char *text);
/* What should be a device's id; "of this name" when it is long enough to be a key. */
const char *problem_quote_device(struct problems *, const char *text);

#endif
