/* sink.c - the police and the bureau of the bench: two HTTP/1.1 servers in one thread, stamping what arrives.
 *
 *     sink --table FILE --devices D --rows R
 *
 * Prints {"ports":[P,Q]} at once, and at SIGTERM what it counted.
 *
 * Every whole request is stamped before it is answered (204). A press is recognised by its identity in the
 * body, "device":"d<number>","epoch":"bench","n":<n>, and entered in the table at its first arrival. What
 * must not happen is counted: one webhook-id arriving twice, one press under two webhook-ids. */
#include "table.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDS 1048576 /* webhook-ids remembered by each sink; a power of two, never full */
#define READ_MIN 4096

struct connection {
    int fd;
    unsigned sink;
    char *bytes;
    size_t size, capacity;
};

struct sink {
    int listener, port;
    uint64_t *ids;      /* a hash set */
    uint64_t *under_id; /* of each row: the webhook-id it first came under */
    uint64_t requests, same_id_twice, press_under_two_ids;
};

static struct table *table;
static struct sink sinks[TABLE_SINKS];
static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
}

static uint64_t hash(const char *text, size_t size)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h ? h : 1;
}

/* True when it was there already. */
static bool remember(uint64_t *ids, uint64_t id)
{
    size_t place = id & (IDS - 1);
    for (; ids[place]; place = (place + 1) & (IDS - 1))
        if (ids[place] == id)
            return true;
    ids[place] = id;
    return false;
}

static void press_seen(unsigned number, uint32_t row, uint64_t id, uint64_t now_ns)
{
    struct sink *s = &sinks[number];
    if (atomic_load(&table->row[row].seen_ns[number]) == 0) {
        s->under_id[row] = id;
        atomic_store(&table->row[row].seen_ns[number], now_ns);
        atomic_fetch_add(&table->seen[number], 1);
    } else if (s->under_id[row] != id) {
        s->press_under_two_ids++;
    }
}

static void look_for_presses(unsigned number, const char *body, size_t size, uint64_t id, uint64_t now_ns)
{
    static const char mark[] = "\"device\":\"d", between[] = "\",\"epoch\":\"" TABLE_EPOCH "\",\"n\":";
    const char *end = body + size, *at = body;
    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1))) {
        char *n_at;
        at += sizeof mark - 1;
        uint64_t device = strtoul(at, &n_at, 10); /* a whole body ends with a bracket */
        if (end - n_at < (ptrdiff_t)sizeof between || memcmp(n_at, between, sizeof between - 1) != 0)
            continue;
        uint64_t n = strtoul(n_at + sizeof between - 1, NULL, 10);
        uint64_t row = (uint64_t)n * table->devices + device;
        if (device < table->devices && row < table->rows)
            press_seen(number, (uint32_t)row, id, now_ns);
    }
}

/* The value of a header; "" when it is not there. */
static const char *header(const char *head, const char *end, const char *name, size_t *size)
{
    size_t name_size = strlen(name);
    for (const char *line = head; line < end;) {
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (!next)
            next = end;
        if ((size_t)(next - line) > name_size && line[name_size] == ':' &&
            strncasecmp(line, name, name_size) == 0) {
            const char *value = line + name_size + 1;
            while (value < next && *value == ' ')
                value++;
            *size = (size_t)(next - value);
            return value;
        }
        line = next + 2;
    }
    *size = 0;
    return "";
}

/* Answers every whole request that is there. False: the connection is to be closed. */
static bool serve(struct connection *c)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    size_t at = 0;
    while (at < c->size) {
        char *head = c->bytes + at, *head_end = memmem(head, c->size - at, "\r\n\r\n", 4);
        if (!head_end)
            break;
        size_t id_size, length_size;
        const char *length = header(head, head_end, "Content-Length", &length_size);
        const char *id = header(head, head_end, "webhook-id", &id_size), *body = head_end + 4;
        size_t size = strtoul(length, NULL, 10);
        if ((size_t)(body - c->bytes) + size > c->size)
            break;
        uint64_t now_ns = table_now_ns(), id_hash = hash(id, id_size);
        struct sink *s = &sinks[c->sink];
        s->requests++;
        if (id_size > 0 && remember(s->ids, id_hash))
            s->same_id_twice++;
        look_for_presses(c->sink, body, size, id_hash, now_ns);
        if (send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) != sizeof answer - 1)
            return false;
        at = (size_t)(body - c->bytes) + size;
    }
    memmove(c->bytes, c->bytes + at, c->size - at);
    c->size -= at;
    return true;
}

static bool read_connection(struct connection *c)
{
    if (c->capacity - c->size < READ_MIN) {
        c->capacity = c->capacity * 2 + READ_MIN;
        c->bytes = realloc(c->bytes, c->capacity);
        if (!c->bytes)
            bench_fail("memory");
    }
    ssize_t n = recv(c->fd, c->bytes + c->size, c->capacity - c->size, 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    c->size += (size_t)n;
    return serve(c);
}

static void accept_connection(int poll, unsigned number)
{
    int one = 1, fd = accept4(sinks[number].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *c = calloc(1, sizeof *c);
    if (fd < 0 || !c) {
        free(c);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->sink = number;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_fail("epoll");
}

static void open_sink(int poll, struct sink *s)
{
    struct sockaddr_in place = {.sin_family = AF_INET};
    socklen_t size = sizeof place;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->ids = calloc(IDS, sizeof *s->ids);
    s->under_id = calloc(table->rows, sizeof *s->under_id);
    if (!s->ids || !s->under_id || s->listener < 0 ||
        bind(s->listener, (struct sockaddr *)&place, size) != 0 || listen(s->listener, 1024) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&place, &size) != 0 ||
        epoll_ctl(poll, EPOLL_CTL_ADD, s->listener, &event) != 0)
        bench_fail("sink");
    s->port = ntohs(place.sin_port);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"table", required_argument, NULL, 't'},
                                            {"devices", required_argument, NULL, 'd'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {0}};
    const char *file = NULL;
    uint32_t devices = 0, rows = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 't')
            file = optarg;
        else if (option == 'd')
            devices = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            rows = (uint32_t)strtoul(optarg, NULL, 10);
        else
            exit(2);
    errno = EINVAL;
    if (!file || !devices || !rows)
        bench_fail("sink: --table, --devices and --rows are needed");
    table = table_create(file, devices, rows);
}

static struct sink *listener_of(void *ptr)
{
    for (unsigned k = 0; k < TABLE_SINKS; k++)
        if (ptr == &sinks[k])
            return &sinks[k];
    return NULL;
}

int main(int argc, char **argv)
{
    struct sigaction stop = {.sa_handler = on_stop};
    struct epoll_event events[64];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    read_options(argc, argv);
    for (unsigned k = 0; k < TABLE_SINKS; k++)
        open_sink(poll, &sinks[k]);
    printf("{\"ports\":[%d,%d]}\n", sinks[0].port, sinks[1].port);
    fflush(stdout);
    while (!stopping) {
        int count = epoll_wait(poll, events, 64, 1000);
        for (int i = 0; i < count; i++) {
            struct sink *s = listener_of(events[i].data.ptr);
            struct connection *c = events[i].data.ptr;
            if (s) {
                accept_connection(poll, (unsigned)(s - sinks));
            } else if (!read_connection(c)) {
                close(c->fd);
                free(c->bytes);
                free(c);
            }
        }
    }
    printf("{\"requests\":%" PRIu64 ",\"same_id_twice\":%" PRIu64 ",\"press_under_two_ids\":%" PRIu64 "}\n",
           sinks[0].requests + sinks[1].requests, sinks[0].same_id_twice + sinks[1].same_id_twice,
           sinks[0].press_under_two_ids + sinks[1].press_under_two_ids);
    return 0;
}
