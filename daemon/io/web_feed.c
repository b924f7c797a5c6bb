#include "io/web_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (16 * 1024) /* bytes libmicrohttpd takes at once */

struct web_feed {
    struct web_exchange *exchange;
    char *tag;
    char *data; /* waiting bytes: data[start … start + size - 1] */
    size_t start, size, capacity;
    bool linked, suspended, ended, cut;
    struct web_feed *previous, *next;
};

/* Room for `size` more bytes. The buffer grows by need: most feeds never have more than a line waiting. */
static bool reserve(struct web_feed *f, size_t size)
{
    if (size > WEB_FEED_BUFFER - f->size)
        return false;
    if (f->start + f->size + size <= f->capacity)
        return true;
    if (f->size > 0)
        memmove(f->data, f->data + f->start, f->size);
    f->start = 0;
    if (f->size + size <= f->capacity)
        return true;
    size_t wanted = f->capacity ? f->capacity : 1024;
    while (wanted < f->size + size)
        wanted *= 2;
    char *data = realloc(f->data, wanted);
    if (!data)
        return false;
    f->data = data;
    f->capacity = wanted;
    return true;
}

static void drop_data(struct web_feed *f)
{
    free(f->data);
    f->data = NULL;
    f->start = f->size = f->capacity = 0;
}

static void wake(struct web_feed *f)
{
    if (!f->suspended)
        return;
    f->suspended = false;
    MHD_resume_connection(f->exchange->connection);
}

void feed_append(struct web_feed *f, const char *text, size_t size)
{
    if (f->ended)
        return;
    if (reserve(f, size)) {
        memcpy(f->data + f->start + f->size, text, size);
        f->size += size;
    } else {
        drop_data(f);
        f->ended = f->cut = true;
    }
    wake(f);
}

/* On libmicrohttpd's thread, for more of the answer's body. Returning 0 without suspending would spin. */
static ssize_t read_more(void *ctx, uint64_t position, char *out, size_t capacity)
{
    struct web_feed *f = ctx;
    struct web *web = f->exchange->web;
    ssize_t result = 0;
    uv_mutex_lock(&web->mutex);
    if (f->size > 0) {
        size_t size = f->size < capacity ? f->size : capacity;
        memcpy(out, f->data + f->start, size);
        f->start += size;
        f->size -= size;
        if (f->size == 0 && f->capacity > BLOCK)
            drop_data(f);
        result = (ssize_t)size;
    } else if (f->cut) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (f->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        f->suspended = true;
        MHD_suspend_connection(f->exchange->connection);
    }
    uv_mutex_unlock(&web->mutex);
    return result;
}

struct web_feed *feed_create(struct web_exchange *x, const char *tag, const char *backlog, size_t size)
{
    assert(size <= WEB_FEED_BUFFER);
    struct web_feed *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->exchange = x;
    f->tag = strdup(tag);
    if (!f->tag || !reserve(f, size)) {
        feed_free(f);
        return NULL;
    }
    if (size > 0)
        memcpy(f->data, backlog, size);
    f->size = size;
    struct web *web = x->web;
    uv_mutex_lock(&web->mutex);
    bool room = web->feed_count < WEB_FEEDS;
    if (room) {
        f->linked = true;
        f->next = web->feeds;
        if (f->next)
            f->next->previous = f;
        web->feeds = f;
        web->feed_count++;
    }
    uv_mutex_unlock(&web->mutex);
    if (room)
        return f;
    feed_free(f);
    return NULL;
}

struct MHD_Response *feed_response(struct web_feed *f)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_more, f, NULL);
}

void feeds_append(struct web *web, const char *text, size_t size, bool (*accept)(void *ctx, const char *tag),
                  void *ctx)
{
    for (struct web_feed *f = web->feeds; f; f = f->next)
        if (!accept || accept(ctx, f->tag))
            feed_append(f, text, size);
}

void feeds_end(struct web *web, bool (*ends)(void *ctx, const char *tag), void *ctx)
{
    for (struct web_feed *f = web->feeds; f; f = f->next) {
        if (ends && !ends(ctx, f->tag))
            continue;
        f->ended = true;
        wake(f);
    }
}

void feed_unlink(struct web_feed *f)
{
    struct web *web = f->exchange->web;
    if (!f->linked)
        return;
    f->linked = false;
    *(f->previous ? &f->previous->next : &web->feeds) = f->next;
    if (f->next)
        f->next->previous = f->previous;
    web->feed_count--;
}

void feed_free(struct web_feed *f)
{
    free(f->data);
    free(f->tag);
    free(f);
}
