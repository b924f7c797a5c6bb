/* feed.h - takes server-sent events apart (WHATWG HTML, section 9.2), whatever the pieces they come in.
 *
 *     struct feed f;
 *     feed_init(&f, on_event, ctx);
 *     feed_take(&f, bytes, size);       // on_event(ctx, data, size) for each message with data
 *     f.last_id                         // what Last-Event-ID should say next time
 *     feed_finish(&f);
 */
#ifndef TOCSIN_CLI_FEED_H
#define TOCSIN_CLI_FEED_H

#include <stdbool.h>
#include <stddef.h>

#define FEED_BYTES (1u << 20) /* of one message; a longer one is passed over */

/* False ends the reading. */
typedef bool feed_event_fn(void *ctx, const char *data, size_t size);

struct feed {
    feed_event_fn *on_event;
    void *ctx;
    char *line, *data;
    size_t line_size, data_size;
    bool has_data, too_long, after_cr;
    char id[32];      /* of the message that is coming */
    char last_id[32]; /* of the last whole message; "" = none */
};

void feed_init(struct feed *, feed_event_fn *, void *ctx);
void feed_finish(struct feed *);
void feed_restart(struct feed *); /* a new connection: what was half there is forgotten, last_id is kept */
bool feed_take(struct feed *, const char *bytes, size_t size);

#endif
