#include "mqtt_wire.h"
#include <assert.h>
#include <string.h>

struct packet {
    unsigned char bytes[MQTT_WIRE_PACKET];
    size_t size;
};

static void put_byte(struct packet *p, unsigned byte)
{
    assert(p->size < sizeof p->bytes - 5); /* the fixed header comes in front */
    p->bytes[p->size++] = (unsigned char)byte;
}

static void put_number(struct packet *p, unsigned number)
{
    put_byte(p, number >> 8);
    put_byte(p, number & 255);
}

static void put_raw(struct packet *p, const char *text)
{
    for (; *text; text++)
        put_byte(p, (unsigned char)*text);
}

static void put_text(struct packet *p, const char *text)
{
    put_number(p, (unsigned)strlen(text));
    put_raw(p, text);
}

static size_t finish(const struct packet *p, unsigned first, unsigned char *out)
{
    size_t used = 0, rest = p->size;
    out[used++] = (unsigned char)first;
    do {
        out[used++] = (unsigned char)(rest % 128 | (rest >= 128 ? 128 : 0));
        rest /= 128;
    } while (rest > 0);
    memcpy(out + used, p->bytes, p->size);
    return used + p->size;
}

size_t mqtt_wire_connect(unsigned char *out, const char *client_id)
{
    struct packet p = {.size = 0};
    put_text(&p, "MQTT");
    put_byte(&p, 4);   /* 3.1.1 */
    put_byte(&p, 2);   /* clean session */
    put_number(&p, 0); /* no keep-alive */
    put_text(&p, client_id);
    return finish(&p, 0x10, out);
}

size_t mqtt_wire_subscribe(unsigned char *out, const char *topic)
{
    struct packet p = {.size = 0};
    put_number(&p, 1);
    put_text(&p, topic);
    put_byte(&p, 0);
    return finish(&p, 0x82, out);
}

size_t mqtt_wire_publish(unsigned char *out, const char *topic, const char *payload, uint16_t packet_id)
{
    struct packet p = {.size = 0};
    put_text(&p, topic);
    if (packet_id)
        put_number(&p, packet_id);
    put_raw(&p, payload);
    return finish(&p, packet_id ? 0x32 : 0x30, out);
}

size_t mqtt_wire_next(const unsigned char *bytes, size_t size, size_t *head)
{
    size_t rest = 0, at = 1, shift = 0;
    for (;; shift += 7) {
        if (at >= size || shift > 21)
            return 0;
        rest |= (size_t)(bytes[at] & 127) << shift;
        if (!(bytes[at++] & 128))
            break;
    }
    *head = at;
    return at + rest <= size ? at + rest : 0;
}

enum mqtt_wire_type mqtt_wire_type(const unsigned char *packet)
{
    return (enum mqtt_wire_type)(packet[0] >> 4);
}
