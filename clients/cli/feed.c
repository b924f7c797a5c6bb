#include "cli/feed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void feed_init(struct feed *f, feed_event_fn *on_event, void *ctx)
{
    memset(f, 0, sizeof *f);
    f->on_event = on_event;
    f->ctx = ctx;
    f->line = malloc(FEED_BYTES);
    f->data = malloc(FEED_BYTES);
}

void feed_finish(struct feed *f)
{
    free(f->line);
    free(f->data);
    f->line = f->data = NULL;
}

void feed_restart(struct feed *f)
{
    f->line_size = f->data_size = 0;
    f->has_data = f->too_long = f->after_cr = false;
    memcpy(f->id, f->last_id, sizeof f->id);
}

static void take_data(struct feed *f, const char *value, size_t size)
{
    if (f->data_size + size + 1 >= FEED_BYTES) {
        f->too_long = true;
        return;
    }
    if (f->has_data)
        f->data[f->data_size++] = '\n';
    memcpy(f->data + f->data_size, value, size);
    f->data_size += size;
    f->has_data = true;
}

static bool end_message(struct feed *f)
{
    bool go_on = true;
    memcpy(f->last_id, f->id, sizeof f->last_id);
    if (f->has_data && !f->too_long) {
        f->data[f->data_size] = '\0';
        go_on = f->on_event(f->ctx, f->data, f->data_size);
    }
    f->data_size = 0;
    f->has_data = f->too_long = false;
    return go_on;
}

static bool take_line(struct feed *f)
{
    size_t size = f->line_size;
    f->line_size = 0;
    if (size == 0)
        return end_message(f);
    f->line[size] = '\0';
    char *value = memchr(f->line, ':', size);
    size_t name_size = value ? (size_t)(value - f->line) : size;
    value = value ? value + 1 : f->line + size;
    if (*value == ' ')
        value++;
    size_t value_size = size - (size_t)(value - f->line);
    if (name_size == 4 && memcmp(f->line, "data", 4) == 0)
        take_data(f, value, value_size);
    else if (name_size == 2 && memcmp(f->line, "id", 2) == 0 && value_size < sizeof f->id &&
             strspn(value, "0123456789") == value_size)
        memcpy(f->id, value, value_size + 1);
    return true;
}

bool feed_take(struct feed *f, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && f->line && f->data; i++) {
        char c = bytes[i];
        bool second = f->after_cr && c == '\n';
        f->after_cr = c == '\r';
        if (second)
            continue;
        if (c == '\n' || c == '\r') {
            if (!take_line(f))
                return false;
        } else if (f->line_size + 1 < FEED_BYTES) {
            f->line[f->line_size++] = c;
        } else {
            f->too_long = true;
        }
    }
    return f->line && f->data;
}
