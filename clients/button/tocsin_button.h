/* tocsin_button.h - what every alarm button does, as a small library for anything from a microcontroller to
 * Linux.
 *
 * Promises: a press is sent at once, and again after 1, 2, 4, 8, 10, 10 … s, byte for byte the same, until
 * its receipt came; this goes on after a power loss. A press that nobody received within 100 s is a fault
 * that is shown (EN 54-21). No two presses ever carry the same identity, whatever happens to the storage.
 * Does not: talk to a network, read a clock, start a thread, allocate memory. The caller gives functions for
 * the first two and calls button_tick(). Contract with the daemon: proto/mqtt.md.
 *
 *     struct button b;
 *     button_init(&b, &options, now_ms);               // loads what a power loss left
 *     button_link(&b, true, now_ms);                    // the broker is there; subscribe to button_topic(…,
 * "receipt") button_press(&b, "panic", BUTTON_REAL, now_ms);   // → options.publish(…/press)
 *     button_receive(&b, payload, size, now_ms);        // a message on …/receipt → options.on_change
 *     button_receive_site(&b, payload, size, now_ms);   // a message on the site's …/state, where that is subscribed
 *     sleep_ms = button_tick(&b, now_ms);               // whenever that time is over, or more often
 *
 * `now_ms` is any clock that never steps, in milliseconds. One struct button is used by one thread. */
#ifndef TOCSIN_BUTTON_H
#define TOCSIN_BUTTON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUTTON_NAME 48     /* bytes of a site or device id, with NUL */
#define BUTTON_EPOCH 24    /* bytes, with NUL */
#define BUTTON_KIND 24     /* bytes, with NUL */
#define BUTTON_ALARM 24    /* bytes of an alarm id, with NUL */
#define BUTTON_AT 25       /* bytes of the daemon's "2026-11-23T08:00:00.000Z", with NUL; such texts sort as their times */
#define BUTTON_PAYLOAD 288 /* bytes of the longest press */
#define BUTTON_TOPIC 128   /* bytes, with NUL */
#ifndef BUTTON_OUTBOX
#define BUTTON_OUTBOX 8 /* presses without receipt: each kind once, and a test */
#endif
#define BUTTON_RECORD                                                                                        \
    (48 + BUTTON_OUTBOX * (BUTTON_PAYLOAD + BUTTON_KIND + BUTTON_EPOCH + 12)) /* bytes to keep */

#define BUTTON_HEARTBEAT_MS 5000
#define BUTTON_UNANSWERED_MS 100000 /* EN 54-21: fault when no receipt came by then */
#define BUTTON_LINK_LOST_MS 20000   /* without a broker for so long is a fault, also without a press */

enum button_mode { BUTTON_REAL, BUTTON_DRILL, BUTTON_TEST, BUTTON_MODE_COUNT };

/* What the person sees. */
enum button_state {
    BUTTON_IDLE,
    BUTTON_SENDING,  /* pressed, nobody has confirmed yet */
    BUTTON_RECEIVED, /* the alarm centre has it */
    BUTTON_COMING,   /* help is coming */
    BUTTON_FAULT     /* get help another way; faults says why */
};

enum button_fault {
    BUTTON_FAULT_UNANSWERED = 1, /* a press has no receipt for 100 s; it is still being sent */
    BUTTON_FAULT_REFUSED =
        2,                 /* the desk saw the press, but it opened no alarm: key or configuration is wrong */
    BUTTON_FAULT_LINK = 4, /* no broker for 20 s */
    BUTTON_FAULT_STORAGE = 8 /* what is pressed now will not survive a power loss */
};

enum button_stage {
    BUTTON_STAGE_NONE,
    BUTTON_STAGE_RECORDED,
    BUTTON_STAGE_DELIVERED,
    BUTTON_STAGE_ACKNOWLEDGED,
    BUTTON_STAGE_COMING,
    BUTTON_STAGE_ON_SCENE,
    BUTTON_STAGE_CLOSED,
    BUTTON_STAGE_REFUSED,
    BUTTON_STAGE_COUNT
};

struct button_receipt {
    char epoch[BUTTON_EPOCH];
    uint64_t n;
    enum button_stage stage;
    char alarm[BUTTON_ALARM]; /* "" = none */
    char at[BUTTON_AT];       /* "" = not said as the daemon says it */
};

struct button;

struct button_options {
    const char *site, *device; /* [A-Za-z0-9_.-]{1,47} */
    /* Hand a message to the network. False: not possible now; it is tried again. May call nothing of this
     * library. */
    bool (*publish)(void *ctx, const char *topic, const void *payload, size_t size, int qos);
    /* Keep `size` ≤ BUTTON_RECORD bytes so that after a power loss load() gives these or the ones before,
     * whole. NULL = no storage: a fault that is shown, and an epoch of its own for each start. */
    bool (*save)(void *ctx, const void *bytes, size_t size);
    bool (*load)(void *ctx, void *bytes, size_t max, size_t *size);
    uint32_t (*random)(void *ctx); /* unpredictable; makes epochs */
    int64_t (*wall_ms)(void *ctx); /* ms since 1970 UTC; NULL or ≤ 0 = unknown: presses then carry no time */
    /* HMAC-SHA256 (RFC 2104) with the device's key. NULL = presses are not signed. button_sodium.h has one.
     */
    bool (*hmac)(void *ctx, const void *bytes, size_t size, unsigned char out[32]);
    void (*on_change)(void *ctx, enum button_state, unsigned faults); /* NULL = not wanted */
    void (*on_receipt)(void *ctx, const struct button_receipt *,
                       bool ours); /* each one, also odd ones, and what button_receive_site() found; NULL = not wanted */
    void *ctx;
};

struct button_waiting { /* a press without receipt */
    char epoch[BUTTON_EPOCH];
    uint64_t n;
    enum button_mode mode;
    char kind[BUTTON_KIND];
    uint16_t size;
    char payload[BUTTON_PAYLOAD];
    uint64_t first_ms, due_ms; /* of this power cycle */
    uint32_t wait_ms;
};

struct button_follow { /* an alarm of ours, one for each mode */
    char epoch[BUTTON_EPOCH];
    uint64_t n, since_ms;
    enum button_stage stage;
    char alarm[BUTTON_ALARM], at[BUTTON_AT];
};

/* Its members are the library's own. */
struct button {
    struct button_options options;
    char site[BUTTON_NAME], device[BUTTON_NAME];
    char epoch[BUTTON_EPOCH];
    uint64_t n;        /* the last one used */
    uint64_t reserved; /* up to this one may be used: whatever the storage holds, it starts behind it */
    struct button_waiting waiting[BUTTON_OUTBOX];
    unsigned waiting_count;
    struct button_follow follow[BUTTON_MODE_COUNT];
    bool link_up;
    uint64_t link_since_ms, heartbeat_due_ms;
    uint64_t save_due_ms; /* again, while the storage fails */
    int battery;
    unsigned faults, told_faults;
    enum button_state told;
    unsigned char record[BUTTON_RECORD]; /* room to write one */
};

void button_init(struct button *, const struct button_options *,
                 uint64_t now_ms); /* options are copied, names too */
/* `kind` as in proto/mqtt.md, capitals or not; "" = what the daemon has configured. Gives n, also when an equal press is still
 * without receipt: that one is then sent again at once. 0: BUTTON_OUTBOX other presses wait, none of them a
 * mere test. */
uint64_t button_press(struct button *, const char *kind, enum button_mode, uint64_t now_ms);
void button_receive(struct button *, const void *payload, size_t size, uint64_t now_ms); /* any bytes */
/* A message on button_site_topic(), any bytes. Without it all works but this: of an alarm whose end nobody told us any more,
 * the lamp goes out after four hours. It never ends a press that waits for its receipt, nor an alarm that is younger. */
void button_receive_site(struct button *, const void *payload, size_t size, uint64_t now_ms);
void button_link(struct button *, bool up, uint64_t now_ms);
void button_battery(struct button *, int percent);      /* -1 = unknown */
uint64_t button_tick(struct button *, uint64_t now_ms); /* ms until it wants to be called again */

enum button_state button_state(const struct button *);
unsigned button_faults(const struct button *);
unsigned button_waiting(const struct button *); /* presses without receipt */
const char *button_state_str(enum button_state);
const char *button_stage_str(enum button_stage);
const char *button_fault_str(enum button_fault); /* a sentence for a display */
void button_topic(const struct button *, const char *leaf,
                  char topic[BUTTON_TOPIC]); /* tocsin/v1/{site}/{device}/leaf */
void button_site_topic(const struct button *, char topic[BUTTON_TOPIC]); /* tocsin/v1/{site}/state */

#endif
