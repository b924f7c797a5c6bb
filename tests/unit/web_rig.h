/* web_rig.h - for the io_web*.c tests: a real server on a loop of its own thread, and clients that behave
 * badly. */
#ifndef TOCSIN_TEST_WEB_RIG_H
#define TOCSIN_TEST_WEB_RIG_H

#include "io/web.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- The server: its loop runs on a thread; call_on_loop() runs a function there and waits for it. */

#define KEPT 8

struct server {
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t call;
    uv_sem_t started, called, kept_sem;
    void (*function)(struct server *);
    struct web_options options;
    struct web *web;
    char error[256];
    struct web_request *kept[KEPT];
    size_t kept_count;
    const char *publish, *publish_tag;
    unsigned feeds;
};

static void on_request(void *ctx, struct web_request *r)
{
    struct server *s = ctx;
    if (strcmp(r->path, "/keep") == 0) {
        assert_true(s->kept_count < KEPT);
        s->kept[s->kept_count++] = r;
        uv_sem_post(&s->kept_sem);
    } else if (strcmp(r->path, "/feed") == 0) {
        const char *tag = web_query(r, "tag"), *backlog = web_query(r, "backlog");
        web_feed(r, tag ? tag : "", backlog ? backlog : "", backlog ? strlen(backlog) : 0);
    } else {
        char text[512];
        const char *q = web_query(r, "q");
        int size = snprintf(text, sizeof text, "%s %s q=%s body=%zu:%.20s auth=%s id=%s", r->method, r->path,
                            q ? q : "-", r->body_size, r->body, r->authorization ? r->authorization : "-",
                            r->last_event_id ? r->last_event_id : "-");
        web_answer(r, 200, "text/plain; charset=utf-8", "Allow: GET, HEAD\nX-Two: 2\n", text, (size_t)size);
    }
}

static void on_call(uv_async_t *handle)
{
    struct server *s = handle->data;
    s->function(s);
    uv_sem_post(&s->called);
}

static void server_main(void *ctx)
{
    struct server *s = ctx;
    s->web = web_create(&s->loop, &s->options, s->error);
    uv_sem_post(&s->started);
    uv_run(&s->loop, UV_RUN_DEFAULT);
}

static void call_on_loop(struct server *s, void (*function)(struct server *))
{
    s->function = function;
    uv_async_send(&s->call);
    uv_sem_wait(&s->called);
}

static struct server *server_start(const struct web_options *options)
{
    struct server *s = calloc(1, sizeof *s);
    if (options)
        s->options = *options;
    if (!s->options.listen)
        s->options.listen = "127.0.0.1:0";
    s->options.on_request = on_request;
    s->options.ctx = s;
    uv_loop_init(&s->loop);
    uv_async_init(&s->loop, &s->call, on_call);
    s->call.data = s;
    uv_sem_init(&s->started, 0);
    uv_sem_init(&s->called, 0);
    uv_sem_init(&s->kept_sem, 0);
    uv_thread_create(&s->thread, server_main, s);
    uv_sem_wait(&s->started);
    return s;
}

static void stop(struct server *s)
{
    if (s->web)
        web_destroy(s->web);
    for (size_t i = 0; i < s->kept_count; i++) /* late answers are allowed and lead nowhere */
        web_answer(s->kept[i], 200, "text/plain", NULL, "late", 4);
    s->kept_count = 0;
    uv_close((uv_handle_t *)&s->call, NULL);
}

static void server_stop(struct server *s)
{
    call_on_loop(s, stop);
    uv_thread_join(&s->thread);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    uv_sem_destroy(&s->started);
    uv_sem_destroy(&s->called);
    uv_sem_destroy(&s->kept_sem);
    free(s);
}

static __attribute__((unused)) void answer_kept(struct server *s)
{
    for (size_t i = 0; i < s->kept_count; i++)
        web_answer(s->kept[i], 200, "text/plain", NULL, "kept", 4);
    s->kept_count = 0;
}

static bool same_tag(void *ctx, const char *tag)
{
    return !ctx || strcmp(ctx, tag) == 0;
}

static void publish(struct server *s)
{
    web_publish(s->web, s->publish, strlen(s->publish), same_tag, (void *)s->publish_tag);
}

static __attribute__((unused)) void publish_to(struct server *s, const char *tag, const char *text)
{
    s->publish = text;
    s->publish_tag = tag;
    call_on_loop(s, publish);
}

static void count_feeds(struct server *s)
{
    s->feeds = web_feeds(s->web);
}

/* The server notices within a few pings; each look waits for the loop's turn. */
static __attribute__((unused)) void wait_for_feeds(struct server *s, unsigned wanted)
{
    for (int i = 0; i < 1000; i++) {
        call_on_loop(s, count_feeds);
        if (s->feeds == wanted)
            return;
        usleep(10000);
    }
    fail_msg("%u feeds are open, expected %u", s->feeds, wanted);
}

/* --- Clients. */

static int dial_from(struct server *s, const char *source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct sockaddr_in from = {.sin_family = AF_INET};
    inet_pton(AF_INET, source, &from.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_port(s->web))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int dial(struct server *s)
{
    return dial_from(s, "127.0.0.1");
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `needle` was seen (NULL: until the end). What was read so far is in `heard`. */
static bool hear(int fd, char *heard, size_t capacity, const char *needle)
{
    size_t size = strlen(heard);
    while (!needle || !strstr(heard, needle)) {
        ssize_t got = recv(fd, heard + size, capacity - 1 - size, 0);
        if (got <= 0)
            return !needle && got == 0;
        size += (size_t)got;
        heard[size] = 0;
        assert_true(size < capacity - 1);
    }
    return true;
}

static void ask(struct server *s, const char *text, char *answer, size_t capacity)
{
    int fd = dial(s);
    say(fd, text);
    answer[0] = 0;
    hear(fd, answer, capacity, NULL);
    close(fd);
}

/* Closes with a reset, as a client that crashed. */
static void slam(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

#define END "Host: t\r\nConnection: close\r\n\r\n"

#endif
