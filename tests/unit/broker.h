/* broker.h - for tests: a private mosquitto on a free loopback port, and a bare MQTT 3.1.1 client that knows
 * nothing of the libraries under test.
 *
 *     struct broker b = {0};
 *     broker_start(&b, "");              // again after broker_end(): the same port
 *     int fd = peer_connect(&b, "name");
 *     peer_publish(fd, "topic", "payload", 1, false);
 *     peer_subscribe(fd, "topic");
 *     peer_read(fd, topic, payload, 1000);
 *     broker_end(&b, SIGTERM); broker_clean(&b); */
#ifndef TOCSIN_TEST_BROKER_H
#define TOCSIN_TEST_BROKER_H

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct broker {
    pid_t pid;
    unsigned port;
    char dir[32];
};

static inline unsigned long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000;
}

static inline struct sockaddr_in broker_address(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Not one that outgoing connections take (ip_local_port_range): while a broker is away another test's connection could have
 * its port, or whoever dials it could be connected to himself. */
static inline unsigned broker_free_port(void)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        unsigned port = 10000 + arc4random_uniform(20000);
        struct sockaddr_in a = broker_address(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int code = bind(fd, (struct sockaddr *)&a, sizeof a);
        close(fd);
        if (code == 0)
            return port;
    }
    assert(!"a port is free");
    return 0;
}

static inline int broker_dial(const struct broker *b)
{
    struct sockaddr_in a = broker_address(b->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Where it will listen; nothing is started yet. */
static inline void broker_prepare(struct broker *b)
{
    if (b->port)
        return;
    b->port = broker_free_port();
    strcpy(b->dir, "/tmp/tocsin-broker-XXXXXX");
    char *made = mkdtemp(b->dir);
    assert(made);
}

static inline void broker_start(struct broker *b, const char *extra)
{
    char file[64];
    broker_prepare(b);
    snprintf(file, sizeof file, "%s/conf", b->dir);
    FILE *f = fopen(file, "w");
    fprintf(
        f,
        "listener %u 127.0.0.1\nuser root\nallow_anonymous true\npersistence true\npersistence_location %s/\n"
        "max_inflight_messages 1000\nmax_queued_messages 100000\nset_tcp_nodelay true\nlog_dest none\n%s",
        b->port, b->dir, extra);
    fclose(f);
    b->pid = fork();
    assert(b->pid >= 0);
    if (b->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(127);
        execlp("mosquitto", "mosquitto", "-c", file, (char *)NULL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", file, (char *)NULL);
        _exit(127);
    }
    unsigned long until = now_ms() + 10000;
    int fd;
    while ((fd = broker_dial(b)) < 0) {
        assert(now_ms() < until && waitpid(b->pid, NULL, WNOHANG) == 0);
        usleep(2000);
    }
    close(fd);
}

static inline const char *broker_machine(void) /* as Debian names folders */
{
    static struct utsname name;
    uname(&name);
    return name.machine;
}

static inline void broker_end(struct broker *b, int signal_number)
{
    if (b->pid <= 0)
        return;
    kill(b->pid, signal_number);
    unsigned long until = now_ms() + 10000;
    while (waitpid(b->pid, NULL, WNOHANG) == 0) {
        if (now_ms() > until) /* mosquitto 2.0.11 does not always hear that it should end */
            kill(b->pid, SIGKILL);
        usleep(1000);
    }
    b->pid = 0;
}

/* Starts it anew: mosquitto's access lists let everybody subscribe; its dynamic security does not. `rules`: its groups and
 * roles. */
static inline void broker_forbid_to_subscribe(struct broker *b, char file[64], const char *rules)
{
    char extra[256];
    broker_end(b, SIGTERM);
    snprintf(file, 64, "%s/rules", b->dir);
    snprintf(extra, sizeof extra,
             "plugin /usr/lib/%s-linux-gnu/mosquitto_dynamic_security.so\nplugin_opt_config_file %s\n",
             broker_machine(), file);
    FILE *f = fopen(file, "w");
    assert(f);
    fprintf(f,
            "{\"defaultACLAccess\":{\"publishClientSend\":true,\"publishClientReceive\":true,"
            "\"subscribe\":false,\"unsubscribe\":true},\"clients\":[],%s}",
            rules);
    fclose(f);
    broker_start(b, extra);
}

static inline void broker_forget(struct broker *b) /* as if it had an empty disk */
{
    char file[64];
    snprintf(file, sizeof file, "%s/mosquitto.db", b->dir);
    unlink(file);
}

static inline void broker_clean(struct broker *b)
{
    char file[64];
    broker_end(b, SIGKILL);
    broker_forget(b);
    snprintf(file, sizeof file, "%s/conf", b->dir);
    unlink(file);
    rmdir(b->dir);
    b->port = 0;
}

/* --- the bare client --- */

static inline void peer_write(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        assert(n > 0);
        at += n;
        size -= (size_t)n;
    }
}

static inline size_t peer_put_text(unsigned char *to, const char *text)
{
    size_t size = strlen(text);
    to[0] = (unsigned char)(size >> 8);
    to[1] = (unsigned char)size;
    memcpy(to + 2, text, size);
    return size + 2;
}

static inline void peer_send(int fd, unsigned char type, const unsigned char *body, size_t size)
{
    unsigned char packet[70000];
    size_t n = 0, rest = size;
    packet[n++] = type;
    do {
        packet[n++] = (unsigned char)((rest & 127) | (rest > 127 ? 128 : 0));
        rest >>= 7;
    } while (rest);
    memcpy(packet + n, body, size);
    peer_write(fd, packet, n + size);
}

static inline bool peer_fill(int fd, unsigned char *to, size_t size, unsigned long until)
{
    while (size) {
        unsigned long now = now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, now < until ? (int)(until - now) : 0) <= 0)
            return false;
        ssize_t n = recv(fd, to, size, 0);
        if (n <= 0)
            return false;
        to += n;
        size -= (size_t)n;
    }
    return true;
}

/* One packet: its type byte, -1 = none in time. */
static inline int peer_packet(int fd, unsigned char *body, size_t max, size_t *size, int timeout_ms)
{
    unsigned long until = now_ms() + (unsigned long)timeout_ms;
    unsigned char type, digit;
    unsigned shift = 0;
    *size = 0;
    if (!peer_fill(fd, &type, 1, until))
        return -1;
    do {
        if (!peer_fill(fd, &digit, 1, until))
            return -1;
        *size |= (size_t)(digit & 127) << shift;
        shift += 7;
    } while (digit & 128);
    assert(*size <= max);
    return peer_fill(fd, body, *size, until) ? type : -1;
}

static inline int peer_connect(const struct broker *b, const char *name)
{
    unsigned char body[256] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2 /* clean */, 0, 0};
    size_t size;
    int fd = broker_dial(b);
    assert(fd >= 0);
    peer_send(fd, 0x10, body, 10 + peer_put_text(body + 10, name));
    int type = peer_packet(fd, body, sizeof body, &size, 5000);
    assert(type == 0x20 && body[1] == 0);
    return fd;
}

static inline void peer_publish(int fd, const char *topic, const char *payload, int qos, bool retain)
{
    unsigned char body[4096];
    size_t size = peer_put_text(body, topic), answer;
    if (qos) {
        body[size++] = 0;
        body[size++] = 1;
    }
    memcpy(body + size, payload, strlen(payload));
    peer_send(fd, (unsigned char)(0x30 | qos << 1 | retain), body, size + strlen(payload));
    if (qos) {
        int type = peer_packet(fd, body, sizeof body, &answer, 5000);
        assert(type == 0x40);
    }
}

static inline void peer_subscribe(int fd, const char *filter)
{
    unsigned char body[256] = {0, 1};
    size_t size = 2 + peer_put_text(body + 2, filter);
    body[size++] = 0; /* QoS 0 */
    peer_send(fd, 0x82, body, size);
    int type = peer_packet(fd, body, sizeof body, &size, 5000);
    assert(type == 0x90 && body[2] == 0);
}

/* The next message; false: none in time. Both texts end with NUL. */
static inline bool peer_read(int fd, char topic[256], char payload[1024], int timeout_ms)
{
    unsigned char body[4096];
    size_t size;
    int type = peer_packet(fd, body, sizeof body, &size, timeout_ms);
    if (type < 0)
        return false;
    assert((type & 0xF0) == 0x30);
    size_t topic_size = (size_t)body[0] << 8 | body[1];
    assert(topic_size < 256 && size - topic_size - 2 < 1024);
    memcpy(topic, body + 2, topic_size);
    topic[topic_size] = '\0';
    memcpy(payload, body + 2 + topic_size, size - topic_size - 2);
    payload[size - topic_size - 2] = '\0';
    return true;
}

#endif
