/* watch: the daemon's feed, followed for ever. */
#include "cli/alarms.h"
#include "cli/feed.h"
#include "cli/terminal.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct watching {
    struct feed feed;
    struct story *story;
    const char *url;
    int64_t left;   /* events still wanted; -1 = all */
    uint64_t heard; /* events of this connection */
    bool json, connected, said, lost;
};

static bool on_event(void *ctx, const char *data, size_t size)
{
    struct watching *w = ctx;
    struct story_line line;
    w->heard++;
    if (w->json) {
        say_json(data, size);
    } else {
        story_tell_line(w->story, data, size, NULL, &line);
        story_say(&line, true);
    }
    return terminal_flush() && (w->left < 0 || --w->left > 0);
}

static bool take(void *ctx, const char *bytes, size_t size)
{
    struct watching *w = ctx;
    if (w->lost)
        remark_about(TEXT_WATCH_RESUMED, {"seq", w->feed.last_id});
    else if (!w->said)
        remark_about(TEXT_WATCH_CONNECTED, {"url", w->url});
    w->said = w->connected = true;
    w->lost = false;
    return feed_take(&w->feed, bytes, size);
}

/* One connection after the other; the pause doubles from 1 s to 10 s while none comes about. */
static int follow(struct server *s, struct watching *w, const char *first_path)
{
    bool named = w->json;
    for (unsigned pause_s = 1;;) {
        char why[256] = "", seconds[16];
        w->connected = false;
        w->heard = 0;
        feed_restart(&w->feed);
        named = named || server_names(s, w->story);
        const char *path = *w->feed.last_id ? "/api/v1/feed" : first_path;
        int result = server_follow(s, path, w->feed.last_id, take, w, why);
        if (result != RESULT_UNREACHABLE)
            return result;
        if (w->heard > 0 && strcmp(why, text(TEXT_WATCH_ENDED)) == 0)
            continue; /* the end of a long backlog: the next part is asked for at once */
        if (w->connected)
            pause_s = 1;
        snprintf(seconds, sizeof seconds, "%u", pause_s);
        remark_about(TEXT_WATCH_LOST, {"why", why}, {"seconds", seconds});
        w->lost = w->said && *w->feed.last_id;
        sleep(pause_s);
        pause_s = pause_s * 2 < 10 ? pause_s * 2 : 10;
    }
}

int command_watch(const struct invocation *inv)
{
    int result;
    int64_t from;
    char path[64] = "/api/v1/feed";
    struct watching w = {.json = inv->json};
    if (!invocation_number(inv, "from", 1, INT64_MAX, 0, &from) ||
        !invocation_number(inv, "count", 1, INT64_MAX, -1, &w.left))
        return RESULT_USAGE;
    if (from > 0)
        snprintf(path, sizeof path, "/api/v1/feed?from=%" PRId64, from);
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    w.url = server_url(s);
    w.story = story_create();
    feed_init(&w.feed, on_event, &w);
    result = w.story ? follow(s, &w, path) : RESULT_UNREACHABLE;
    feed_finish(&w.feed);
    story_destroy(w.story);
    server_close(s);
    return result;
}
