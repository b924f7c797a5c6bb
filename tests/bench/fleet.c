#include "fleet.h"
#include "mqtt_wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 50            /* connections opened before the first answer is awaited */
#define WATCHER_BUFFER 262144 /* bytes; receipts come in floods */
#define WATCHER UINT32_MAX

struct button {
    int fd;
    unsigned char in[256];
    size_t in_size;
    uint16_t packet_id;
};

struct fleet {
    struct fleet_options options;
    int poll, watcher;
    unsigned char *in; /* the watcher's */
    size_t in_size;
    struct button *buttons;
    struct {
        unsigned char bytes[128];
        size_t size;
    } * heartbeats; /* one packet a device: they never change */
    uint64_t *receipt_ns;
    uint64_t pubacks, receipts;
};

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_fail("connection to the broker");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            bench_fail("write to the broker");
        if (n < 0) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, 1000);
            continue;
        }
        bytes += n;
        size -= (size_t)n;
    }
}

static void expect_connack(int fd)
{
    unsigned char answer[4];
    errno = ECONNREFUSED;
    if (recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer ||
        mqtt_wire_type(answer) != MQTT_WIRE_CONNACK || answer[3] != 0)
        bench_fail("the broker");
}

static void watch(struct fleet *f, int fd, uint32_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(f->poll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_fail("epoll");
}

static void open_watcher(struct fleet *f)
{
    unsigned char out[MQTT_WIRE_PACKET], answer[5];
    f->watcher = dial(f->options.port);
    write_all(f->watcher, out, mqtt_wire_connect(out, "bench-watcher"));
    expect_connack(f->watcher);
    write_all(f->watcher, out, mqtt_wire_subscribe(out, "tocsin/v1/+/+/receipt"));
    if (recv(f->watcher, answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        bench_fail("subscription");
    watch(f, f->watcher, WATCHER);
}

static void open_buttons(struct fleet *f)
{
    unsigned char out[MQTT_WIRE_PACKET];
    char client_id[32];
    for (unsigned from = 0; from < f->options.connections; from += AT_ONCE) {
        unsigned to = from + AT_ONCE < f->options.connections ? from + AT_ONCE : f->options.connections;
        for (unsigned i = from; i < to; i++) {
            f->buttons[i].fd = dial(f->options.port);
            snprintf(client_id, sizeof client_id, "bench-%05u", i);
            write_all(f->buttons[i].fd, out, mqtt_wire_connect(out, client_id));
        }
        for (unsigned i = from; i < to; i++) {
            expect_connack(f->buttons[i].fd);
            watch(f, f->buttons[i].fd, i);
        }
    }
}

/* The processors are the subject's: a press and its receipt cost the generator no printf() and no scanf(). */
static char *put_number(char *to, uint32_t number, unsigned digits)
{
    char text[10];
    unsigned size = 0;
    do
        text[size++] = (char)('0' + number % 10);
    while ((number /= 10) || size < digits);
    while (size)
        *to++ = text[--size];
    *to = '\0';
    return to;
}

/* "tocsin/v1/s00007/d00007/press" */
static void topic_of(const struct fleet *f, char out[64], uint32_t device, const char *verb)
{
    char *at = put_number(stpcpy(out, "tocsin/v1/s"), device % f->options.sites, 5);
    at = put_number(stpcpy(at, "/d"), device, 5);
    stpcpy(stpcpy(at, "/"), verb);
}

struct fleet *fleet_open(const struct fleet_options *options)
{
    struct fleet *f = calloc(1, sizeof *f);
    char topic[64];
    if (!f || !(f->in = malloc(WATCHER_BUFFER)) ||
        !(f->buttons = calloc(options->connections, sizeof *f->buttons)) ||
        !(f->heartbeats = calloc(options->table->devices, sizeof *f->heartbeats)) ||
        !(f->receipt_ns = calloc(options->table->rows, sizeof *f->receipt_ns)))
        bench_fail("memory");
    f->options = *options;
    f->poll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < options->table->devices; i++) {
        topic_of(f, topic, i, "heartbeat");
        f->heartbeats[i].size = mqtt_wire_publish(f->heartbeats[i].bytes, topic, "{\"battery\":87}", 0);
    }
    open_watcher(f);
    open_buttons(f);
    return f;
}

void fleet_close(struct fleet *f)
{
    for (unsigned i = 0; i < f->options.connections; i++)
        close(f->buttons[i].fd);
    close(f->watcher);
    close(f->poll);
    free(f->in);
    free(f->buttons);
    free(f->heartbeats);
    free(f->receipt_ns);
    free(f);
}

void fleet_press(struct fleet *f, uint32_t device, uint32_t n)
{
    struct table_row *row = &f->options.table->row[n * f->options.table->devices + device];
    struct button *b = &f->buttons[device % f->options.connections];
    unsigned char out[MQTT_WIRE_PACKET];
    char topic[64], payload[96];
    topic_of(f, topic, device, "press");
    stpcpy(put_number(stpcpy(payload, "{\"epoch\":\"" TABLE_EPOCH "\",\"n\":"), n, 1),
           ",\"kind\":\"panic\",\"battery\":87}");
    b->packet_id = b->packet_id == UINT16_MAX ? 1 : b->packet_id + 1;
    size_t size = mqtt_wire_publish(out, topic, payload, b->packet_id);
    row->sent_ns = table_now_ns();
    write_all(b->fd, out, size);
}

void fleet_heartbeat(struct fleet *f, uint32_t device)
{
    write_all(f->buttons[device % f->options.connections].fd, f->heartbeats[device].bytes,
              f->heartbeats[device].size);
}

/* "tocsin/v1/s00007/d00007/receipt" and {"epoch":"bench","n":0,"stage":"recorded",…} */
static void take_receipt(struct fleet *f, const unsigned char *packet, size_t head, size_t size,
                         uint64_t now_ns)
{
    static const char before_device[] = "/d", before_n[] = "\"n\":", stage[] = "\"stage\":\"recorded\"";
    size_t topic_size = (size_t)(packet[head] << 8 | packet[head + 1]), payload_at = head + 2 + topic_size;
    if (payload_at > size)
        return;
    const char *topic = (const char *)packet + head + 2, *payload = topic + topic_size;
    const char *device_at = memmem(topic, topic_size, before_device, sizeof before_device - 1);
    const char *n_at = memmem(payload, size - payload_at, before_n, sizeof before_n - 1);
    if (!device_at || !n_at || !memmem(payload, size - payload_at, stage, sizeof stage - 1))
        return;
    unsigned long device = strtoul(device_at + sizeof before_device - 1, NULL, 10); /* what follows is no digit */
    unsigned long n = strtoul(n_at + sizeof before_n - 1, NULL, 10);
    if (device >= f->options.table->devices)
        return;
    uint64_t row = (uint64_t)n * f->options.table->devices + device;
    if (row < f->options.table->rows && f->receipt_ns[row] == 0) {
        f->receipt_ns[row] = now_ns;
        f->receipts++;
    }
}

static size_t read_some(int fd, unsigned char *to, size_t room)
{
    ssize_t n = recv(fd, to, room, 0);
    if (n == 0)
        errno = ECONNRESET;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        bench_fail("the broker");
    return n < 0 ? 0 : (size_t)n;
}

static void read_watcher(struct fleet *f)
{
    size_t at = 0, head, size;
    f->in_size += read_some(f->watcher, f->in + f->in_size, WATCHER_BUFFER - f->in_size);
    uint64_t now_ns = table_now_ns();
    for (; (size = mqtt_wire_next(f->in + at, f->in_size - at, &head)); at += size)
        if (mqtt_wire_type(f->in + at) == MQTT_WIRE_PUBLISH)
            take_receipt(f, f->in + at, head, size, now_ns);
    memmove(f->in, f->in + at, f->in_size - at);
    f->in_size -= at;
}

static void read_button(struct fleet *f, unsigned number)
{
    struct button *b = &f->buttons[number];
    size_t at = 0, head, size;
    b->in_size += read_some(b->fd, b->in + b->in_size, sizeof b->in - b->in_size);
    for (; (size = mqtt_wire_next(b->in + at, b->in_size - at, &head)); at += size) {
        if (mqtt_wire_type(b->in + at) != MQTT_WIRE_PUBACK)
            continue;
        f->pubacks++;
        if (f->options.on_puback)
            f->options.on_puback(f->options.ctx, number);
    }
    memmove(b->in, b->in + at, b->in_size - at);
    b->in_size -= at;
}

void fleet_pump(struct fleet *f, int wait_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(f->poll, events, 256, wait_ms);
    for (int i = 0; i < count; i++)
        if (events[i].data.u32 == WATCHER)
            read_watcher(f);
        else
            read_button(f, events[i].data.u32);
}

uint64_t fleet_pubacks(const struct fleet *f)
{
    return f->pubacks;
}

uint64_t fleet_receipts(const struct fleet *f)
{
    return f->receipts;
}

uint64_t fleet_receipt_ns(const struct fleet *f, uint32_t row)
{
    return f->receipt_ns[row];
}
