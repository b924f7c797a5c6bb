/* board.c - a journal's lines → the board → what the world is told: a daemon that starts on a record, whoever
 * wrote it and with whatever version.
 *
 * Checked: any events in any order leave a board whose alarms are in range, whose tellings fit LIMIT_BODY and
 * are JSON, whose deadlines can be applied; and the board that was saved and loaded tells the same. */
#include "codec/alarm_json.h"
#include "codec/event_json.h"
#include "scratch.h"
#include <jansson.h>

#define LINES 64

static struct conf *conf;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    conf = scratch_conf();
    return 0;
}

static void must_be_json(const char *what, const char *text, size_t size)
{
    json_error_t why;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    must(json_is_object(object), "%s is no JSON (%s): %.*s", what, why.text, (int)size, text);
    json_decref(object);
}

struct told {
    struct board *board;
    unsigned count;
    crypto_hash_sha256_state state;
};

static void on_effect(void *ctx, const struct effect *e)
{
    static char body[LIMIT_BODY];
    struct told *t = ctx;
    const struct journal_head head = {.size = 17};
    size_t size = webhook_body(body, sizeof body, conf, t->board, e, &head, true, 1);
    must(size > 0 && size <= LIMIT_BODY, "a telling does not fit");
    must_be_json("a telling", body, size);
    crypto_hash_sha256_update(&t->state, (const unsigned char *)body, size);
    t->count++;
}

static void check_alarms(struct board *b)
{
    static char body[LIMIT_BODY];
    struct board_counts counts = board_counts(b);
    uint32_t open = 0;
    for (struct alarm *a = NULL; (a = board_next_alarm(b, a));) {
        open += a->state != ALARM_CLOSED;
        must(a->state < ALARM_STATE_COUNT && a->kind < KIND_COUNT && a->mode < MODE_COUNT, "alarm %s", a->id);
        must(board_alarm(b, a->id) == a, "alarm %s is not found", a->id);
        must(a->delivery_count <= LIMIT_PLAN_ENDPOINTS && a->step <= a->plan.step_count, "alarm %s, step %u",
             a->id, a->step);
        must_be_json("a state", body, site_state_body(body, sizeof body, conf, b, a->site, 1));
    }
    must(open == counts.alarms_open, "%u alarms are open, %u are counted", open, counts.alarms_open);
}

static void tell(struct board *b, int64_t clock_ms, unsigned char hash[32], unsigned *count)
{
    struct told told = {.board = b};
    crypto_hash_sha256_init(&told.state);
    board_take_effects(b, clock_ms, 100, on_effect, &told);
    crypto_hash_sha256_final(&told.state, hash);
    *count = told.count;
}

/* What was saved and is loaded owes what it owed: everything that was not answered is told again. */
static void check_saved(struct board *b, int64_t clock_ms)
{
    unsigned char hash[32], again_hash[32];
    unsigned count, again_count;
    size_t size = board_save(b, NULL, 0);
    void *bytes = malloc(size);
    struct board *loaded = board_create(), *twice = board_create();
    must(bytes && loaded && twice && board_save(b, bytes, size) == size, "no memory");
    must(board_load(loaded, bytes, size) && board_load(twice, bytes, size),
         "a board of this build is not loaded");
    free(bytes);
    struct board_counts counts = board_counts(b), loaded_counts = board_counts(loaded);
    must(counts.alarms_open == loaded_counts.alarms_open && counts.alarms_kept == loaded_counts.alarms_kept &&
             counts.presses == loaded_counts.presses && counts.devices == loaded_counts.devices &&
             counts.troubles == loaded_counts.troubles,
         "the loaded board counts differently");
    check_alarms(loaded);
    tell(loaded, clock_ms, hash, &count);
    tell(twice, clock_ms, again_hash, &again_count);
    must(count == again_count && memcmp(hash, again_hash, sizeof hash) == 0,
         "two boards of the same bytes differ");
    board_destroy(loaded);
    board_destroy(twice);
}

static uint64_t apply_lines(struct board *b, const char *at, const char *end, int64_t *clock_ms)
{
    char why[LIMIT_TEXT];
    struct event e;
    uint64_t seq = 0;
    for (unsigned i = 0; at < end && i < LINES; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        if (event_decode(at, size, &e, why)) {
            e.seq = ++seq; /* a journal's lines have their places */
            *clock_ms = e.clock_ms;
            board_apply(b, &e);
        }
        at += size + 1;
    }
    return seq;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board *b = board_create();
    struct event due;
    int64_t clock_ms = 0;
    unsigned char hash[32];
    unsigned count;
    must(b, "no memory");
    uint64_t seq = apply_lines(b, (const char *)data, (const char *)data + size, &clock_ms);
    check_alarms(b);
    if (seq > 0 && clock_ms < INT64_MAX / 2 && clock_ms > 0) {
        tell(b, clock_ms, hash, &count);
        int64_t later_ms = board_due(b);
        must(count == 0 || board_counts(b).alarms_open + board_counts(b).alarms_kept > 0,
             "%u tellings of nothing", count);
        for (unsigned i = 0; i < LINES && later_ms < INT64_MAX && board_next_deadline(b, later_ms, &due);
             i++) {
            due.seq = ++seq;
            due.clock_ms = later_ms;
            board_apply(b, &due);
        }
        check_alarms(b);
        check_saved(b, clock_ms);
    }
    board_destroy(b);
    return 0;
}
