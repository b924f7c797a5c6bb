/* All that the journal has about one alarm, as a file that can be checked without us: proto/journal.md.
 *
 * The lines are read first, then the newest checkpoint, which therefore seals them; then one proof after the
 * other, so that a long alarm never keeps the history from others. */
#include "io/api_internal.h"
#include "io/clock.h"
#include "journal/note.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM (64 * 48) /* the hashes of one proof in base64 */

struct bundle {
    struct api *api;
    struct web_request *request;
    char alarm[LIMIT_ALARM_ID];
    size_t count, next;
    char **lines;
    uint64_t *seqs;
    uint64_t size; /* what the checkpoint seals */
    struct api_out out;
};

static void bundle_free(struct bundle *b)
{
    struct api *api = b->api;
    for (size_t i = 0; b->lines && i < b->count; i++)
        free(b->lines[i]);
    free(b->lines);
    free(b->seqs);
    api_out_free(&b->out);
    free(b);
    api_release(api);
}

static void give_up(struct bundle *b)
{
    api_busy(b->request,
             b->api->closing ? "The daemon is stopping." : "The journal cannot be read now; try again.");
    bundle_free(b);
}

static void on_proof(void *ctx, const struct history_proof *proof);

static void go_on(struct bundle *b)
{
    if (b->next < b->count) {
        history_inclusion(b->api->options.history, b->seqs[b->next], b->size, on_proof, b);
        return;
    }
    char header[100];
    snprintf(header, sizeof header, "Content-Disposition: attachment; filename=\"alarm-%s.tocsin.json\"",
             b->alarm);
    api_out_room(&b->out, 16);
    json_close(&b->out.o, ']');
    json_close(&b->out.o, '}');
    api_out_answer_as(&b->out, b->request, header);
    b->out = (struct api_out){0};
    bundle_free(b);
}

static void on_proof(void *ctx, const struct history_proof *proof)
{
    struct bundle *b = ctx;
    struct json_out *o = &b->out.o;
    if (proof->error || b->api->closing) {
        give_up(b);
        return;
    }
    const char *line = b->lines[b->next];
    api_out_room(&b->out, strlen(line) * 2 + PATH_ROOM + 256);
    json_open(o, NULL, '{');
    json_unsigned(o, "seq", b->seqs[b->next]);
    json_text(o, "line", line);
    json_base64(o, "leaf", proof->leaf, sizeof proof->leaf);
    json_open(o, "path", '[');
    for (size_t i = 0; i < proof->path_count; i++)
        json_base64(o, NULL, proof->path[i], 32);
    json_close(o, ']');
    json_close(o, '}');
    b->next++;
    go_on(b);
}

/* "origin+key id", as the public key's text begins. */
static void key_name(const struct conf *conf, char out[NOTE_KEY_TEXT])
{
    note_key_text(conf->daemon.name, conf->daemon.journal_key + 32, out);
    *strrchr(out, '+') = '\0';
}

static void on_checkpoint(void *ctx, const char *text, size_t size, const char *error)
{
    struct bundle *b = ctx;
    struct note_checkpoint checkpoint;
    char why[LIMIT_TEXT], key[NOTE_KEY_TEXT];
    if (error || b->api->closing || !note_parse(text, size, &checkpoint, why)) {
        give_up(b);
        return;
    }
    b->size = checkpoint.size;
    key_name(engine_conf(b->api->options.engine), key);
    struct json_out *o = &b->out.o;
    json_open(o, NULL, '{');
    json_text(o, "format", "tocsin-alarm-bundle-v1");
    json_text(o, "alarm", b->alarm);
    json_time(o, "made_at", clock_wall_ms());
    json_text(o, "key", key);
    json_text_n(o, "checkpoint", text, size);
    json_unsigned(o, "count", b->count);
    json_open(o, "entries", '[');
    go_on(b);
}

static bool copy_lines(struct bundle *b, const struct api_story *s)
{
    b->lines = calloc(s->count, sizeof *b->lines);
    b->seqs = calloc(s->count, sizeof *b->seqs);
    bool good = b->lines && b->seqs;
    for (; good && b->count < s->count; b->count++) {
        b->seqs[b->count] = s->seqs[b->count];
        good = (b->lines[b->count] = strdup(s->lines[b->count])) != NULL;
    }
    return good;
}

static void tell(struct api *api, struct web_request *request, const struct api_story *s, bool option)
{
    if (s->error || s->count == 0) {
        api_busy(request,
                 s->error ? s->error : "The journal has recorded nothing of this alarm yet; try again.");
        return;
    }
    if (s->more && s->count < API_STORY_LINES) {
        api_busy(request, "The journal could not be read in time; try again.");
        return;
    }
    if (s->more) {
        api_problem(request, &(struct api_problem){.type = API_UNPROCESSABLE},
                    "This alarm has more lines than one file takes; export the journal with `tocsin journal "
                    "export`.");
        return;
    }
    struct bundle *b = calloc(1, sizeof *b);
    if (!b) {
        api_busy(request, "There is no memory for this answer; try again later.");
        return;
    }
    b->api = api;
    b->request = request;
    memcpy(b->alarm, s->alarm->id, sizeof b->alarm);
    api_hold(api);
    api_out_begin(&b->out, 8192);
    if (copy_lines(b, s))
        history_checkpoint(api->options.history, on_checkpoint, b);
    else
        give_up(b);
}

void api_bundle(struct api_call *c)
{
    api_tell_story(c, tell, false);
}
