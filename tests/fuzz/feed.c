/* feed.c - the live feed as the command-line tool reads it (server-sent events), and journal lines that it
 * tells.
 *
 * Checked: a message that comes in pieces is the message that comes at once; the id to resume from is a
 * number; what is told of a line, whoever wrote it, may be shown on a terminal. */
#include "cli/feed.h"
#include "cli/story.h"
#include "cli/terminal.h"
#include "fuzz.h"
#include <jansson.h>
#include <sodium.h>

struct heard {
    crypto_hash_sha256_state state;
    unsigned count;
    bool told; /* each message is told, too */
};

/* What the terminal would get of `bytes` lines: one line each that may be shown. */
static void check_shown(const char *text)
{
    static char shown[1 << 16];
    FILE *screen = fmemopen(shown, sizeof shown, "w");
    must(screen, "no memory");
    terminal_redirect(screen);
    say_text(TONE_PLAIN, text);
    terminal_redirect(NULL);
    fclose(screen);
    size_t size = strlen(shown);
    must(size > 0 && shown[size - 1] == '\n', "a line has no end");
    shown[size - 1] = '\0';
    fuzz_must_be_clean("a line on the terminal", shown, sizeof shown);
}

/* The same JSON, without what a terminal would obey. Jansson passes over a NUL between two tokens; such a
 * text is none (RFC 8259, section 2). */
static void check_shown_json(const char *data, size_t size)
{
    json_t *value = memchr(data, '\0', size) ? NULL : json_loadb(data, size, JSON_DECODE_ANY, NULL);
    char *safe = value ? terminal_safe_json(data, size) : NULL;
    json_t *again = safe ? json_loads(safe, JSON_DECODE_ANY, NULL) : NULL;
    must(!value || (again && json_equal(value, again)), "%s is no longer the same JSON",
         safe ? safe : "nothing");
    for (const char *c = safe; c && *c; c++)
        must((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t' || *c == '\r',
             "a control character is shown");
    json_decref(value);
    json_decref(again);
    free(safe);
}

/* It remembers the alarms that were opened, and is made anew after an input that could open one. */
static struct story *story;

static void check_told(const char *line, size_t size)
{
    struct story_line told;
    if (!story)
        must(story = story_create(), "no memory");
    story_tell_line(story, line, size, NULL, &told);
    must(told.text[0] && strnlen(told.text, sizeof told.text) < sizeof told.text, "a line is not told: %s",
         line);
    check_shown(told.text);
    check_shown_json(line, size);
}

static bool on_event(void *ctx, const char *data, size_t size)
{
    struct heard *h = ctx;
    must(data[size] == '\0', "a message has no end");
    crypto_hash_sha256_update(&h->state, (const unsigned char *)&size, sizeof size);
    crypto_hash_sha256_update(&h->state, (const unsigned char *)data, size);
    h->count++;
    if (h->told)
        check_told(data, size);
    return true;
}

static void read_feed(struct heard *h, const char *bytes, size_t size, size_t piece, char last_id[32])
{
    static struct feed f; /* its buffers are large: made once */
    crypto_hash_sha256_init(&h->state);
    if (!f.line)
        feed_init(&f, on_event, h);
    f.last_id[0] = '\0';
    f.ctx = h;
    feed_restart(&f);
    for (size_t at = 0; at < size; at += piece)
        feed_take(&f, bytes + at, size - at < piece ? size - at : piece);
    memcpy(last_id, f.last_id, 32);
    must(strspn(last_id, "0123456789") == strlen(last_id), "the id to resume from is \"%s\"", last_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = 1 + fuzz_take(data, &size);
    struct heard whole = {.count = 0}, pieces = {.count = 0};
    char whole_id[32], pieces_id[32];
    unsigned char a[32], b[32];
    whole.told = true;
    read_feed(&whole, (const char *)data, size, size ? size : 1, whole_id);
    read_feed(&pieces, (const char *)data, size, piece, pieces_id);
    if (memmem(data, size, "press_received", 14)) {
        story_destroy(story);
        story = NULL;
    }
    crypto_hash_sha256_final(&whole.state, a);
    crypto_hash_sha256_final(&pieces.state, b);
    must(whole.count == pieces.count && memcmp(a, b, sizeof a) == 0, "%u messages at once, %u in pieces",
         whole.count, pieces.count);
    must(strcmp(whole_id, pieces_id) == 0, "another id to resume from");
    return 0;
}
