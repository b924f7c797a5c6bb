#include "button_parts.h"
#include <string.h>

/* "TBR1", epoch, reserved counter, number of presses, the presses, CRC-32 (IEEE 802.3) of all before. Numbers
 * are little-endian. */
static const unsigned char magic[4] = {'T', 'B', 'R', '1'};

static uint32_t crc32(const unsigned char *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

struct cursor {
    unsigned char *at;
    const unsigned char *end; /* for reading */
    bool bad;
};

static void put(struct cursor *c, const void *bytes, size_t size)
{
    memcpy(c->at, bytes, size);
    c->at += size;
}

static void put_number(struct cursor *c, uint64_t number, unsigned size)
{
    for (; size--; number >>= 8)
        *c->at++ = (unsigned char)number;
}

static void get(struct cursor *c, void *to, size_t size)
{
    if ((size_t)(c->end - c->at) < size) {
        c->bad = true;
        return;
    }
    memcpy(to, c->at, size);
    c->at += size;
}

static uint64_t get_number(struct cursor *c, unsigned size)
{
    unsigned char bytes[8] = {0};
    uint64_t number = 0;
    get(c, bytes, size);
    while (size--)
        number = number << 8 | bytes[size];
    return number;
}

size_t button_record_write(struct button *b)
{
    struct cursor c = {.at = b->record};
    put(&c, magic, sizeof magic);
    put(&c, b->epoch, sizeof b->epoch);
    put_number(&c, b->reserved, 8);
    put_number(&c, b->waiting_count, 2);
    for (unsigned i = 0; i < b->waiting_count; i++) {
        const struct button_waiting *w = &b->waiting[i];
        put(&c, w->epoch, sizeof w->epoch);
        put(&c, w->kind, sizeof w->kind);
        put_number(&c, w->n, 8);
        put_number(&c, w->mode, 1);
        put_number(&c, w->size, 2);
        put(&c, w->payload, w->size);
    }
    put_number(&c, crc32(b->record, (size_t)(c.at - b->record)), 4);
    return (size_t)(c.at - b->record);
}

static bool read_waiting(struct cursor *c, struct button_waiting *w)
{
    memset(w, 0, sizeof *w);
    get(c, w->epoch, sizeof w->epoch);
    get(c, w->kind, sizeof w->kind);
    w->n = get_number(c, 8);
    unsigned mode = (unsigned)get_number(c, 1);
    w->mode = (enum button_mode)mode;
    w->size = (uint16_t)get_number(c, 2);
    if (mode >= BUTTON_MODE_COUNT || w->size > sizeof w->payload)
        return false;
    get(c, w->payload, w->size);
    w->epoch[sizeof w->epoch - 1] = w->kind[sizeof w->kind - 1] = '\0';
    return !c->bad;
}

bool button_record_read(struct button *b, const unsigned char *bytes, size_t size)
{
    unsigned char head[4];
    if (size < 4 || size > BUTTON_RECORD)
        return false;
    struct cursor c = {.at = (unsigned char *)bytes + size - 4, .end = bytes + size};
    if (get_number(&c, 4) != crc32(bytes, size - 4))
        return false;
    c = (struct cursor){.at = (unsigned char *)bytes, .end = bytes + size - 4};
    char epoch[BUTTON_EPOCH];
    get(&c, head, sizeof head);
    get(&c, epoch, sizeof epoch);
    uint64_t reserved = get_number(&c, 8);
    unsigned count = (unsigned)get_number(&c, 2);
    if (c.bad || memcmp(head, magic, sizeof magic) != 0 || !epoch[0] || epoch[sizeof epoch - 1] ||
        count > BUTTON_OUTBOX)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!read_waiting(&c, &b->waiting[i]))
            return false;
    memcpy(b->epoch, epoch, sizeof b->epoch);
    b->reserved = reserved;
    b->waiting_count = count;
    return true;
}
