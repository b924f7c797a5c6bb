/* HTTP in, alone: a real server on a loop of its own thread, and clients that behave badly. */
#include "io/web.h"
#include <arpa/inet.h>
#include <curl/curl.h>
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
#include <time.h>
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
        int size = snprintf(text, sizeof text, "%s %s q=%s body=%zu:%.20s auth=%s id=%s", r->method, r->path, q ? q : "-",
                            r->body_size, r->body, r->authorization ? r->authorization : "-",
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

static void answer_kept(struct server *s)
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

static void publish_to(struct server *s, const char *tag, const char *text)
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
static void wait_for_feeds(struct server *s, unsigned wanted)
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

/* --- Tests. */

static void test_answers(void **state)
{
    struct server *s = server_start(NULL);
    char a[4096];
    ask(s, "GET /a%20b?q=x%2By HTTP/1.1\r\nAuthorization: Bearer tk_1\r\nLast-Event-ID: 17\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(a, "\r\n\r\nGET /a b q=x+y body=0: auth=Bearer tk_1 id=17"));
    assert_non_null(strstr(a, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(a, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(a, "Content-Security-Policy: default-src 'none'"));
    assert_non_null(strstr(a, "Allow: GET, HEAD\r\n"));
    assert_non_null(strstr(a, "X-Two: 2\r\n"));
    assert_null(strstr(a, "Access-Control"));
    ask(s, "HEAD /x HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, "Content-Length: 3")); /* 30 and some */
    assert_string_equal(strstr(a, "\r\n\r\n"), "\r\n\r\n");
    ask(s, "POST /x HTTP/1.1\r\nContent-Length: 5\r\n" END "hello", a, sizeof a);
    assert_non_null(strstr(a, "POST /x q=- body=5:hello"));
    ask(s, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", a, sizeof a);
    assert_non_null(strstr(a, "body=5:hello"));
    server_stop(s);
}

static void test_bad_requests(void **state)
{
    static const struct {
        const char *request, *status, *says;
    } table[] = {
        {"GET /a%00b HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a?x=%00 HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a%ff HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a?%c3%28=1 HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a?x=%c0%af HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /../etc/passwd HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a/%2e%2e/%2e%2e/etc HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a/. HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q HTTP/1.1\r\n" END, " 400 ", "urn:tocsin:bad-request"},
        {"GET /a..b/...?q=../.. HTTP/1.1\r\n" END, " 200 ", "GET /a..b/... q=../.."}, /* not everything with dots is bad */
        {"GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&q=1 HTTP/1.1\r\n" END, " 200 ", "q=1"},
        {"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", " 400 ", ""}, /* no Host */
        {"POST /a HTTP/1.1\r\nContent-Length: x\r\n" END, " 400 ", ""},
        {"POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n" END, " 413 ", "urn:tocsin:too-large"},
        {"garbage\r\n\r\n", "", ""},
        {"\r\n\r\n\r\n", "", ""},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", ""},
    };
    struct web_options options = {.read_timeout_ms = 300, .ping_ms = 50};
    struct server *s = server_start(&options);
    char a[8192];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ask(s, table[i].request, a, sizeof a);
        if (!strstr(a, table[i].status) || !strstr(a, table[i].says))
            fail_msg("request %zu was answered: %s", i, a);
    }
    ask(s, "GET /still-there HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 200 "));
    server_stop(s);
}

static void post_body(struct server *s, size_t size, bool chunked, char *answer, size_t capacity)
{
    char head[200], *body = malloc(size);
    memset(body, 'x', size);
    int fd = dial(s);
    if (chunked)
        snprintf(head, sizeof head, "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "%zx\r\n", size);
    else
        snprintf(head, sizeof head, "POST /b HTTP/1.1\r\nContent-Length: %zu\r\n" END, size);
    say(fd, head);
    for (size_t sent = 0; sent < size;) {
        ssize_t put = send(fd, body + sent, size - sent, MSG_NOSIGNAL);
        if (put <= 0)
            break; /* cut: as it should be with far too much */
        sent += (size_t)put;
    }
    if (chunked)
        send(fd, "\r\n0\r\n\r\n", 7, MSG_NOSIGNAL);
    answer[0] = 0;
    hear(fd, answer, capacity, NULL);
    close(fd);
    free(body);
}

static void test_bodies(void **state)
{
    struct server *s = server_start(NULL);
    char a[4096];
    post_body(s, WEB_BODY, false, a, sizeof a);
    assert_non_null(strstr(a, "body=65536:xxx"));
    post_body(s, WEB_BODY, true, a, sizeof a);
    assert_non_null(strstr(a, "body=65536:xxx"));
    for (int chunked = 0; chunked < 2; chunked++) {
        post_body(s, WEB_BODY + 1, chunked, a, sizeof a);
        assert_non_null(strstr(a, " 413 "));
        assert_non_null(strstr(a, "application/problem+json"));
    }
    post_body(s, 8 << 20, true, a, sizeof a); /* no end in sight: cut */
    assert_null(strstr(a, " 200 "));
    server_stop(s);
}

static void test_pipelining(void **state)
{
    struct server *s = server_start(NULL);
    char a[8192] = "";
    int fd = dial(s);
    say(fd, "GET /1 HTTP/1.1\r\nHost: t\r\n\r\nPOST /2 HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"
            "GET /3 HTTP/1.1\r\n" END);
    assert_true(hear(fd, a, sizeof a, NULL));
    char *one = strstr(a, "GET /1 "), *two = strstr(a, "POST /2 q=- body=3:abc"), *three = strstr(a, "GET /3 ");
    assert_true(one && two && three && one < two && two < three);
    close(fd);
    server_stop(s);
}

#define THREADS 16
#define ROUNDS 40

static atomic_uint wrong_answers;

static void many_requests(void *ctx)
{
    struct server *s = ctx;
    char a[4096], text[100], wanted[40];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof text, "GET /n?q=%p-%d HTTP/1.1\r\n" END, (void *)&a, i);
        snprintf(wanted, sizeof wanted, "q=%p-%d ", (void *)&a, i);
        ask(s, text, a, sizeof a);
        wrong_answers += strstr(a, wanted) == NULL;
        if (i % 4 == 0) { /* and some that do not wait */
            int fd = dial(s);
            say(fd, "GET /gone HTTP/1.1\r\nHost: t\r\n\r\n");
            slam(fd);
        }
    }
}

static void test_concurrent(void **state)
{
    struct server *s = server_start(NULL);
    uv_thread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        uv_thread_create(&threads[i], many_requests, s);
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i]);
    assert_int_equal(wrong_answers, 0);
    server_stop(s);
}

/* The client is gone before its answer: nobody is hurt, and the next one is served. */
static void test_gone_before_answer(void **state)
{
    struct server *s = server_start(NULL);
    for (int round = 0; round < 20; round++) {
        int fd = dial(s), patient = dial(s);
        say(fd, "GET /keep HTTP/1.1\r\nHost: t\r\n\r\n");
        say(patient, "GET /keep HTTP/1.1\r\n" END);
        uv_sem_wait(&s->kept_sem);
        uv_sem_wait(&s->kept_sem);
        slam(fd);
        call_on_loop(s, answer_kept);
        char a[2048] = "";
        assert_true(hear(patient, a, sizeof a, NULL));
        assert_non_null(strstr(a, "\r\n\r\nkept"));
        close(patient);
    }
    server_stop(s);
}

static void test_answer_timeout(void **state)
{
    struct web_options options = {.answer_timeout_ms = 100, .ping_ms = 50};
    struct server *s = server_start(&options);
    char a[2048];
    ask(s, "GET /keep HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 503 "));
    assert_non_null(strstr(a, "urn:tocsin:unavailable"));
    uv_sem_wait(&s->kept_sem);
    call_on_loop(s, answer_kept); /* too late, and harmless */
    ask(s, "GET /x HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 200 "));
    server_stop(s);
}

static int open_feed(struct server *s, const char *query, char *heard, size_t capacity)
{
    char text[200];
    int fd = dial(s);
    snprintf(text, sizeof text, "GET /feed?%s HTTP/1.1\r\nHost: t\r\n\r\n", query);
    say(fd, text);
    heard[0] = 0;
    assert_true(hear(fd, heard, capacity, "\r\n\r\n"));
    assert_non_null(strstr(heard, "200 OK"));
    assert_non_null(strstr(heard, "text/event-stream"));
    return fd;
}

static void test_feed(void **state)
{
    struct web_options options = {.ping_ms = 50};
    struct server *s = server_start(&options);
    char a[65536], b[65536];
    int red = open_feed(s, "tag=red&backlog=id:1%0a%0a", a, sizeof a);
    int blue = open_feed(s, "tag=blue", b, sizeof b);
    assert_true(hear(red, a, sizeof a, "id:1\n\n"));
    publish_to(s, "red", "id:2\n\n");
    publish_to(s, NULL, "id:3\n\n");
    assert_true(hear(red, a, sizeof a, "id:3\n\n"));
    assert_true(hear(blue, b, sizeof b, "id:3\n\n"));
    assert_true(strstr(a, "id:1\n\n") < strstr(a, "id:2\n\n") && strstr(a, "id:2\n\n") < strstr(a, "id:3\n\n"));
    assert_null(strstr(b, "id:2\n\n"));
    assert_true(hear(blue, b, sizeof b, ": ping\n\n"));
    wait_for_feeds(s, 2);
    slam(red);
    close(blue);
    wait_for_feeds(s, 0); /* the pings find out */
    server_stop(s);
}

static void test_feed_slow(void **state)
{
    struct web_options options = {.ping_ms = 50};
    struct server *s = server_start(&options);
    static char heard[32 << 20];
    int slow = open_feed(s, "tag=slow", heard, sizeof heard);
    char other[4096];
    int good = open_feed(s, "tag=good", other, sizeof other);
    char *text = malloc(64 * 1024 + 1);
    memset(text, 'x', 64 * 1024);
    text[64 * 1024] = 0;
    for (int i = 0; i < 400; i++) /* 25 MiB: more than any socket buffer and the feed's own */
        publish_to(s, "slow", text);
    free(text);
    wait_for_feeds(s, 1);
    publish_to(s, "good", "id:9\n\n");
    assert_true(hear(good, other, sizeof other, "id:9\n\n"));
    hear(slow, heard, sizeof heard, NULL);
    assert_null(strstr(heard, "\r\n0\r\n\r\n")); /* cut, not ended */
    close(slow);
    close(good);
    server_stop(s);
}

static void test_feeds_have_a_limit(void **state)
{
    struct server *s = server_start(NULL);
    static int fds[WEB_FEEDS];
    char a[4096];
    for (int i = 0; i < WEB_FEEDS; i++) {
        fds[i] = dial_from(s, i % 2 ? "127.0.0.1" : "127.0.0.2");
        say(fds[i], "GET /feed HTTP/1.1\r\nHost: t\r\n\r\n");
        a[0] = 0;
        assert_true(hear(fds[i], a, sizeof a, " 200 OK"));
    }
    ask(s, "GET /feed HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 503 "));
    ask(s, "GET /x HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 200 "));
    for (int i = 0; i < WEB_FEEDS; i++)
        close(fds[i]);
    server_stop(s);
}

/* A stop ends feeds properly, answers who waits, and does not take long. */
static void test_stop(void **state)
{
    struct server *s = server_start(NULL);
    char a[4096], b[4096], c[4096] = "";
    int feed = open_feed(s, "tag=a&backlog=id:1%0a%0a", a, sizeof a);
    int mute = open_feed(s, "tag=b", b, sizeof b);
    int waiting = dial(s);
    say(waiting, "GET /keep HTTP/1.1\r\n" END);
    uv_sem_wait(&s->kept_sem);
    int half = dial(s);
    say(half, "GET /half HTTP/1.1\r\nHo");
    uint64_t before = uv_hrtime();
    server_stop(s);
    assert_true(uv_hrtime() - before < 2000000000u);
    assert_true(hear(feed, a, sizeof a, NULL));
    assert_non_null(strstr(a, "id:1\n\n"));
    assert_non_null(strstr(a, "\r\n0\r\n\r\n")); /* the last chunk: ended, not cut */
    assert_true(hear(mute, b, sizeof b, NULL));
    assert_true(hear(waiting, c, sizeof c, NULL));
    assert_non_null(strstr(c, " 503 "));
    close(feed);
    close(mute);
    close(waiting);
    close(half);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Clients that send a byte now and then are cut after the read timeout, and cost nothing until then. */
static void test_slow_loris(void **state)
{
    struct web_options options = {.read_timeout_ms = 1000, .ping_ms = 100};
    struct server *s = server_start(&options);
    int fds[40];
    static const char *const starts[] = {"G", "GET / HTTP/1.1\r\nHost: t\r\nX: ",
                                         "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\nx", ""};
    for (int i = 0; i < 40; i++) {
        fds[i] = dial(s);
        say(fds[i], starts[i % 4]);
    }
    double cpu = cpu_s();
    uint64_t before = uv_hrtime();
    for (int open = 40; open > 0 && uv_hrtime() - before < 8000000000u;) {
        open = 0;
        for (int i = 0; i < 40; i++)
            open += (i % 4 == 3 || send(fds[i], "x", 1, MSG_NOSIGNAL) == 1) &&
                    (recv(fds[i], &(char){0}, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        usleep(50000);
        if (open == 0)
            goto cut;
    }
    fail_msg("slow clients were not cut");
cut:
    cpu = cpu_s() - cpu;
    print_message("40 slow clients: %.3f s of processor time in %.1f s\n", cpu, (double)(uv_hrtime() - before) / 1e9);
    assert_true(cpu < 0.8);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
    char a[2048];
    ask(s, "GET /x HTTP/1.1\r\n" END, a, sizeof a);
    assert_non_null(strstr(a, " 200 "));
    server_stop(s);
}

static size_t collect(char *data, size_t size, size_t count, void *ctx)
{
    strncat(ctx, data, size * count);
    return size * count;
}

static CURLcode tls_get(struct server *s, const char *certificate, char *answer)
{
    char url[100];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/tls", web_port(s->web));
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificate);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return code;
}

/* TLS works, and stalled handshakes cost no processor time (libmicrohttpd's epoll modes would take all of it). */
static void test_tls(void **state)
{
    char folder[] = "/tmp/io_web.XXXXXX", command[600], certificate[64], key[64], other[64];
    assert_non_null(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
    snprintf(key, sizeof key, "%s/k.pem", folder);
    snprintf(other, sizeof other, "%s/o.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=t "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>&1 && "
             "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out %s", key, certificate, other);
    assert_int_equal(system(command), 0);

    struct web_options options = {.tls_certificate_file = certificate, .tls_key_file = key};
    struct server *s = server_start(&options);
    assert_non_null(s->web);
    int fds[6];
    static const char *const starts[] = {"\x16", "\x16\x03\x01\x02\x40\x01", ""};
    for (int i = 0; i < 6; i++) {
        fds[i] = dial(s);
        say(fds[i], starts[i % 3]);
    }
    char answer[1000] = "";
    assert_int_equal(tls_get(s, certificate, answer), CURLE_OK);
    assert_non_null(strstr(answer, "GET /tls"));
    double cpu = cpu_s();
    usleep(1500000);
    cpu = cpu_s() - cpu;
    print_message("6 stalled handshakes: %.3f s of processor time in 1.5 s\n", cpu);
    assert_true(cpu < 0.5);
    for (int i = 0; i < 6; i++)
        i % 2 ? slam(fds[i]) : (void)close(fds[i]);
    answer[0] = 0;
    assert_int_equal(tls_get(s, certificate, answer), CURLE_OK);
    server_stop(s);

    options.tls_key_file = other; /* not this certificate's */
    s = server_start(&options);
    assert_null(s->web);
    assert_non_null(strstr(s->error, "does not belong"));
    server_stop(s);
    options.tls_key_file = "/nowhere/k.pem";
    s = server_start(&options);
    assert_null(s->web);
    assert_non_null(strstr(s->error, "/nowhere/k.pem: No such file"));
    server_stop(s);
    unlink(certificate);
    unlink(key);
    unlink(other);
    rmdir(folder);
}

static void test_listen(void **state)
{
    static const char *const bad[] = {"", "8080", "localhost:8080", "::1:80", "127.0.0.1:", "127.0.0.1:70000", "1.2.3.4.5:1",
                                      "[::1]", "127.0.0.1:+1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct web_options options = {.listen = bad[i]};
        struct server *s = server_start(&options);
        assert_null(s->web);
        assert_non_null(strstr(s->error, "as in 127.0.0.1:8080"));
        server_stop(s);
    }
    struct web_options any = {.listen = ":0"};
    struct server *s = server_start(&any);
    assert_non_null(s->web);
    assert_true(web_port(s->web) > 0);
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", web_port(s->web));
    struct web_options same = {.listen = taken};
    struct server *second = server_start(&same);
    assert_null(second->web);
    assert_non_null(strstr(second->error, "another program"));
    server_stop(second);
    server_stop(s);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_concurrent),
        cmocka_unit_test(test_gone_before_answer),
        cmocka_unit_test(test_answer_timeout),
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_feed_slow),
        cmocka_unit_test(test_feeds_have_a_limit),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_slow_loris),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
