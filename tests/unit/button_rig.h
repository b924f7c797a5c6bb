/* button_rig.h - a button in simulated time: its network, storage and clock are here. */
#ifndef TOCSIN_TEST_BUTTON_RIG_H
#define TOCSIN_TEST_BUTTON_RIG_H

#include "button/tocsin_button.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RIG_SENT 4096

struct rig {
    struct button button;
    uint64_t now_ms;
    int64_t wall_ms;
    uint32_t random;
    bool save_fails, save_lies; /* lies: says it failed, but it is on the disk */
    bool stored;
    unsigned char store[BUTTON_RECORD];
    size_t store_size, saves;
    struct {
        uint64_t at_ms;
        char topic[BUTTON_TOPIC], payload[BUTTON_PAYLOAD + 1];
    } sent[RIG_SENT];
    size_t sent_count, heartbeats, changes, receipts, foreign;
    enum button_state state;
    unsigned faults;
    const unsigned char *key;
    void (*on_publish)(struct rig *);
};

static inline bool rig_publish(void *ctx, const char *topic, const void *payload, size_t size, int qos)
{
    struct rig *r = ctx;
    if (strstr(topic, "/heartbeat")) {
        assert_int_equal(qos, 0);
        r->heartbeats++;
        return true;
    }
    assert_int_equal(qos, 1);
    assert_true(r->sent_count < RIG_SENT && size <= BUTTON_PAYLOAD);
    r->sent[r->sent_count].at_ms = r->now_ms;
    strcpy(r->sent[r->sent_count].topic, topic);
    memcpy(r->sent[r->sent_count].payload, payload, size);
    r->sent[r->sent_count++].payload[size] = '\0';
    if (r->on_publish)
        r->on_publish(r);
    return true;
}

static inline bool rig_save(void *ctx, const void *bytes, size_t size)
{
    struct rig *r = ctx;
    assert_true(size <= sizeof r->store);
    r->saves++;
    if (!r->save_fails || r->save_lies) {
        memcpy(r->store, bytes, size);
        r->store_size = size;
        r->stored = true;
    }
    return !r->save_fails;
}

static inline bool rig_load(void *ctx, void *bytes, size_t max, size_t *size)
{
    struct rig *r = ctx;
    if (!r->stored)
        return false;
    assert_true(r->store_size <= max);
    memcpy(bytes, r->store, r->store_size);
    *size = r->store_size;
    return true;
}

static inline uint32_t rig_random(void *ctx)
{
    struct rig *r = ctx;
    return r->random = r->random * 1664525u + 1013904223u;
}

static inline int64_t rig_wall(void *ctx)
{
    return ((struct rig *)ctx)->wall_ms;
}

static inline void rig_change(void *ctx, enum button_state state, unsigned faults)
{
    struct rig *r = ctx;
    r->changes++;
    r->state = state;
    r->faults = faults;
}

static inline void rig_receipt(void *ctx, const struct button_receipt *receipt, bool ours)
{
    struct rig *r = ctx;
    r->receipts++;
    r->foreign += !ours;
}

static inline struct button_options rig_options(struct rig *r)
{
    return (struct button_options){.site = "school-1",
                                   .device = "room-204",
                                   .publish = rig_publish,
                                   .save = rig_save,
                                   .load = rig_load,
                                   .random = rig_random,
                                   .wall_ms = rig_wall,
                                   .on_change = rig_change,
                                   .on_receipt = rig_receipt,
                                   .ctx = r};
}

/* What a power loss does: the memory is gone, the storage is not. */
static inline void rig_power(struct rig *r)
{
    struct button_options options = rig_options(r);
    r->state = BUTTON_IDLE;
    r->faults = 0;
    button_init(&r->button, &options, r->now_ms);
}

static inline struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->now_ms = 1000000;
    r->random = 7;
    rig_power(r);
    return r;
}

static inline void rig_link(struct rig *r, bool up)
{
    button_link(&r->button, up, r->now_ms);
}

static inline uint64_t rig_press(struct rig *r, const char *kind, enum button_mode mode)
{
    return button_press(&r->button, kind, mode, r->now_ms);
}

/* Lets time pass as a program would: it sleeps exactly as long as it was told. */
static inline void rig_run(struct rig *r, uint64_t ms)
{
    uint64_t end_ms = r->now_ms + ms;
    for (;;) {
        uint64_t wait_ms = button_tick(&r->button, r->now_ms);
        assert_true(wait_ms > 0);
        if (r->now_ms + wait_ms > end_ms)
            break;
        r->now_ms += wait_ms;
    }
    r->now_ms = end_ms;
    button_tick(&r->button, r->now_ms);
}

static inline void rig_hear(struct rig *r, const char *text)
{
    button_receive(&r->button, text, strlen(text), r->now_ms);
}

static inline void rig_answer_of(struct rig *r, const char *epoch, uint64_t n, const char *stage,
                                 const char *alarm)
{
    char text[256];
    snprintf(
        text, sizeof text,
        "{\"epoch\":\"%s\",\"n\":%llu,\"stage\":\"%s\",\"alarm\":\"%s\",\"at\":\"2026-11-23T08:00:00.210Z\"}",
        epoch, (unsigned long long)n, stage, alarm);
    rig_hear(r, text);
}

static inline void rig_answer(struct rig *r, uint64_t n, const char *stage, const char *alarm)
{
    rig_answer_of(r, r->button.epoch, n, stage, alarm);
}

#endif
