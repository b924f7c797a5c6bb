#include "io/http_watch.h"
#include "io/http_address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_AT_ONCE 64 /* idle connections looked at by one call */

/* A socket over which no answer has come yet the library (7.88) may close without a word. So its watch is
 * closed as soon as the library wants nothing of it: later, the number may be that of another descriptor of
 * the loop, which would then not be watched any more. */
struct http_watch {
    uv_poll_t poll;
    struct http_watches *watches;
    curl_socket_t socket;
    int wanted, polled; /* CURL_POLL_… as asked for, as set */
    bool kept;
    LIST_ENTRY(http_watch) entry;
};

static void on_watch_closed(uv_handle_t *handle)
{
    struct http_watch *watch = handle->data;
    struct http_watches *watches = watch->watches;
    free(watch);
    watches->handles--;
    watches->closed(watches);
}

static void watch_close(struct http_watch *watch)
{
    LIST_REMOVE(watch, entry);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct http_watch *watch_find(struct http_watches *watches, curl_socket_t socket)
{
    struct http_watch *watch;
    LIST_FOREACH(watch, &watches->list, entry)
    if (watch->socket == socket)
        return watch;
    return NULL;
}

static struct http_watch *watch_open(struct http_watches *watches, curl_socket_t socket)
{
    struct http_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->watches = watches;
    watch->socket = socket;
    if (uv_poll_init_socket(watches->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watches->handles++;
    LIST_INSERT_HEAD(&watches->list, watch, entry);
    return watch;
}

static void watch_stop(struct http_watch *watch)
{
    uv_poll_stop(&watch->poll);
    watch->polled = 0;
}

static void on_poll(uv_poll_t *, int status, int events);

/* Watches for what is wanted; what is watched for already is left alone. */
static bool watch_set(struct http_watch *watch)
{
    if (watch->wanted == 0 || watch->polled == watch->wanted)
        return true;
    watch->polled = watch->wanted;
    int events =
        (watch->wanted & CURL_POLL_IN ? UV_READABLE : 0) | (watch->wanted & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_poll) == 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_watch *watch = poll->data;
    if (watch->wanted == 0) { /* the peer closed, or spoke on, an idle connection: http_watch_silence(), and the library, see it */
        watch_stop(watch);
        return;
    }
    int mask = 0;
    if (events & UV_READABLE)
        mask |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        mask |= CURL_CSELECT_OUT;
    if (status <
        0) { /* the loop has stopped watching; reading says what it is, and lets the library try again */
        mask = CURL_CSELECT_IN | CURL_CSELECT_ERR;
        watch->polled = 0;
        watch->watches->renewed = true;
    }
    watch->watches->ready(watch->watches, watch->socket, mask);
}

static int on_curl_socket(CURL *easy, curl_socket_t socket, int what, void *ctx, void *socket_ctx)
{
    struct http_watches *watches = ctx;
    struct http_watch *watch = watch_find(watches, socket);
    if (what == CURL_POLL_REMOVE) {
        if (watch && watch->kept)
            watch->wanted = 0;
        else if (watch)
            watch_close(watch);
        return 0;
    }
    if (!watch)
        watch = watch_open(watches, socket);
    if (!watch)
        return -1;
    watch->wanted = what;
    return watch_set(watch) ? 0 : -1;
}

static void note_refused(struct http_door *door, const struct sockaddr *address, const char *why)
{
    const void *bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    door->refused = why;
    if (!inet_ntop(address->sa_family, bytes, door->address, sizeof door->address))
        door->address[0] = '\0';
}

/* A number that is watched already: the library closed that socket without a word, the kernel has forgotten
 * it, and the library may think that nothing has changed. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_door *door = ctx;
    const char *why = http_address_refused(&address->addr, door->network, door->stands_in_url);
    if (why) {
        note_refused(door, &address->addr, why);
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    struct http_watch *watch = fd < 0 ? NULL : watch_find(door->watches, fd);
    if (watch) {
        watch_stop(watch);
        watch->kept = false;
        watch->watches->renewed = true;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close_socket(void *ctx, curl_socket_t socket)
{
    struct http_watch *watch = watch_find(ctx, socket);
    if (watch)
        watch_close(watch);
    return close(socket);
}

void http_watch_init(struct http_watches *watches, uv_loop_t *loop, CURLM *multi)
{
    watches->loop = loop;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, watches);
}

void http_watch_use(struct http_door *door, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, door);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, door->watches);
}

void http_watch_settle(struct http_watches *watches)
{
    if (!watches->renewed)
        return;
    struct http_watch *watch;
    watches->renewed = false;
    LIST_FOREACH(watch, &watches->list, entry)
    watch_set(watch);
}

void http_watch_keep(struct http_watches *watches, CURL *easy)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket);
    if (socket == CURL_SOCKET_BAD)
        return;
    struct http_watch *watch = watch_find(watches, socket);
    if (!watch)
        watch = watch_open(watches, socket);
    if (watch)
        watch->kept = true;
}

static void end_speaker(int socket)
{
    char unasked[4096];
    if (recv(socket, unasked, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return; /* it has closed, which the library sees itself */
    shutdown(socket, SHUT_RDWR);
    while (recv(socket, unasked, sizeof unasked, MSG_DONTWAIT) > 0)
        ;
}

void http_watch_silence(struct http_watches *watches)
{
    struct http_watch *watch = LIST_FIRST(&watches->list);
    while (watch) {
        struct pollfd idle[IDLE_AT_ONCE];
        nfds_t count = 0;
        for (; watch && count < IDLE_AT_ONCE; watch = LIST_NEXT(watch, entry))
            if (watch->kept && watch->wanted == 0)
                idle[count++] = (struct pollfd){.fd = watch->socket, .events = POLLIN};
        if (count == 0 || poll(idle, count, 0) <= 0)
            continue;
        for (nfds_t i = 0; i < count; i++)
            if (idle[i].revents)
                end_speaker(idle[i].fd);
    }
}

void http_watch_finish(struct http_watches *watches)
{
    while (!LIST_EMPTY(&watches->list))
        watch_close(LIST_FIRST(&watches->list));
}
