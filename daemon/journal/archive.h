/* archive.h - the closed alarms, one row each, to be searched and summed: a cache beside the journal, in a
 * file of its own (journal.db → journal.db-archive), so that it never takes the journal's lock.
 *
 * Promises: it is filled from the journal's lines in small steps with pauses, seldom while many presses
 * come, and resumes wherever a kill left it. That, and the search, is done on a thread of its own, a nice
 * one, and a long search stands back for up to a second while something is recorded. A file that is
 * damaged, of another format, not of this journal, or that knows of a note which was erased since it was
 * opened last, is thrown away and made anew; `complete` says whether that is done. One thing is done at a
 * time, so that a flood of questions keeps one processor busy and no more. Each question is answered,
 * never from within the call, and with everything that was committed when it was asked, unless that is far
 * ahead; in portions, one each time the loop goes round, of which exactly one is the last. Does not: know
 * what a line means. That is the maker's, which is given each alarm's lines.
 *
 *     struct archive *a = archive_create(loop, "/var/lib/tocsin/journal.db", &maker);
 *     archive_kick(a, committed_seq);                         // whenever something was recorded
 *     archive_find(a, &query, committed_seq, found, ctx);     // found(ctx, &rows) on the loop, until rows.last
 */
#ifndef TOCSIN_ARCHIVE_H
#define TOCSIN_ARCHIVE_H

#include "core/event.h"
#include <stddef.h>
#include <uv.h>

#define ARCHIVE_SUFFIX "-archive"  /* of its file, behind the journal's name */
#define ARCHIVE_ZONES 16           /* of one alarm that are kept */
#define ARCHIVE_TEXT 200           /* bytes that may be searched for */
#define ARCHIVE_WORDS (256 * 1024) /* bytes of one alarm in which is searched; more are not taken in */
#define ARCHIVE_PORTION 64         /* rows or sites given at once: a tenth of a millisecond of JSON */
#define ARCHIVE_NEVER (-1)

/* Moments of an alarm, as ms since its first press on the daemon's clock. */
enum archive_moment {
    ARCHIVE_RECEIVED,
    ARCHIVE_ACKNOWLEDGED,
    ARCHIVE_COMING,
    ARCHIVE_ON_SCENE,
    ARCHIVE_MOMENTS
};

struct archive_row {
    char id[LIMIT_ALARM_ID], site[LIMIT_ID];
    uint64_t seq; /* of its first press */
    enum kind kind;
    enum mode mode;
    enum disposition disposition;
    int64_t opened_at_ms, closed_at_ms, closed_ms; /* wall; wall; since the first press */
    int64_t moment_ms[ARCHIVE_MOMENTS];            /* ARCHIVE_NEVER: it did not happen */
    char acknowledged_by[LIMIT_ID], coming_by[LIMIT_ID], on_scene_by[LIMIT_ID], closed_by[LIMIT_ID];
    uint32_t press_count;
    unsigned zone_count;
    char zones[ARCHIVE_ZONES][LIMIT_ID];
    /* What only the maker gives; malloc, the archive frees. */
    char *words; /* what is searched in, an item a line */
    size_t words_size;
    int64_t *press_at_ms; /* wall, of press_at_count presses */
    size_t press_at_count;
};

/* What a line may mean for the rows. */
enum archive_concern {
    ARCHIVE_NOTHING,
    ARCHIVE_CHANGES,  /* changes a row that is there */
    ARCHIVE_RECEIVES, /* … if nothing has been received yet */
    ARCHIVE_MAKES     /* may close its alarm */
};

/* Makes rows of lines. All but `name` and `finish` are called on the archive's thread. */
struct archive_maker {
    void *ctx;
    enum archive_concern (*concern)(void *ctx, const char *line, size_t size);
    void (*begin)(void *ctx, const char *alarm);
    void (*line)(void *ctx, const char *line, size_t size, const char *note); /* NULL: no note, or erased */
    bool (*end)(void *ctx, struct archive_row *out); /* `out` is zeroed; false: the alarm is not closed */
    void (*name)(void *ctx, struct archive_row *);   /* on the loop: adds the names of places to the words */
    void (*finish)(void *ctx); /* on the loop, once nothing here will be called any more; NULL: nothing to do */
};
/* Adds a line of text to the words, unless there is no more room. */
void archive_add_words(struct archive_row *, const char *text);

struct archive_query {
    char site[LIMIT_ID]; /* "" = any */
    char *sites; /* a JSON array of the sites that the asker sees, malloc, the archive's; NULL = all */
    int64_t from_ms, to_ms;      /* opened_at: from ≤ … < to */
    int kind, mode, disposition; /* -1 = any */
    char text[ARCHIVE_TEXT + 1];
    uint64_t before; /* 0 = newest */
    unsigned limit;
    int offset_min; /* of archive_sum: the wall clock's distance from UTC */
    int64_t year_from_ms, year_to_ms;
};

struct archive_rows {
    size_t count;
    const struct archive_row *rows; /* the newest first, without words */
    bool last, more, complete;      /* `more`: there are more than the question's limit */
    const char *error;              /* NULL, or a sentence; it is then the last */
};
typedef void archive_rows_fn(void *ctx, const struct archive_rows *); /* valid during the call */

#define ARCHIVE_LIMITS 4
enum archive_spread { SPREAD_RECEIVED, SPREAD_ACKNOWLEDGED, SPREAD_COMING, SPREAD_FEEDBACK, SPREAD_COUNT };
extern const unsigned archive_limits_s[SPREAD_COUNT][ARCHIVE_LIMITS]; /* the police's own */

struct archive_sum {
    uint64_t alarms, presses, by_hour[24];
    uint64_t counts[SPREAD_COUNT][ARCHIVE_LIMITS + 1], never[SPREAD_COUNT];
};

struct archive_site {
    char id[LIMIT_ID];
    uint64_t presses[MODE_COUNT], alarms[MODE_COUNT];
    uint64_t year_alarms, year_false;
};

struct archive_sums {
    struct archive_sum modes[MODE_COUNT];
    struct archive_site *sites; /* the one with most real presses first */
    size_t site_count;
    bool last, complete;
    const char *error;
};
typedef void archive_sums_fn(void *ctx, const struct archive_sums *);

struct archive;

struct archive *archive_create(uv_loop_t *, const char *journal_file, const struct archive_maker *);
/* What was not answered yet is answered with an error when the step or search under way (it is interrupted) has ended.
 * Nothing here waits for it, a disk may hold it for good: the loop runs on until then, and whoever stops the loop earlier
 * must end the process without touching what the archive and its maker use. NULL is fine. */
void archive_destroy(struct archive *);
/* The journal has got longer. */
void archive_kick(struct archive *, uint64_t committed_seq);
void archive_find(struct archive *, const struct archive_query *, uint64_t committed_seq, archive_rows_fn *,
                  void *ctx);
void archive_sum(struct archive *, const struct archive_query *, uint64_t committed_seq, archive_sums_fn *,
                 void *ctx);

/* Throws the file away, of a daemon that does not run. False: `error` says why. */
bool archive_remove(const char *journal_file, char error[LIMIT_TEXT]);

#endif
