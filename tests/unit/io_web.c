/* HTTP in, alone: requests, bodies, feeds, limits and stops. */
#include "web_rig.h"

static void test_answers(void **state)
{
    struct server *s = server_start(NULL);
    char a[4096];
    ask(s, "GET /a%20b?q=x%2By HTTP/1.1\r\nAuthorization: Bearer tk_1\r\nLast-Event-ID: 17\r\n" END, a,
        sizeof a);
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
    ask(s, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", a,
        sizeof a);
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
        {"GET /a..b/...?q=../.. HTTP/1.1\r\n" END, " 200 ",
         "GET /a..b/... q=../.."}, /* not everything with dots is bad */
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
    char *one = strstr(a, "GET /1 "), *two = strstr(a, "POST /2 q=- body=3:abc"),
         *three = strstr(a, "GET /3 ");
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
    assert_true(strstr(a, "id:1\n\n") < strstr(a, "id:2\n\n") &&
                strstr(a, "id:2\n\n") < strstr(a, "id:3\n\n"));
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
    for (int i = 0; i < WEB_FEEDS; i++) { /* from as many addresses that none reaches its own limit */
        char from[16];
        snprintf(from, sizeof from, "127.0.0.%d", 2 + i % 8);
        fds[i] = dial_from(s, from);
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

static void test_listen(void **state)
{
    static const char *const bad[] = {
        "",      "8080",        "localhost:8080", "::1:80", "127.0.0.1:", "127.0.0.1:70000", "1.2.3.4.5:1",
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_bodies),         cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_concurrent),     cmocka_unit_test(test_gone_before_answer),
        cmocka_unit_test(test_answer_timeout), cmocka_unit_test(test_feed),
        cmocka_unit_test(test_feed_slow),      cmocka_unit_test(test_feeds_have_a_limit),
        cmocka_unit_test(test_stop),           cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
