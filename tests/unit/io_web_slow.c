/* HTTP in, alone: clients that are slow on purpose, and TLS. */
#include "web_rig.h"
#include <curl/curl.h>
#include <time.h>

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
    print_message("40 slow clients: %.3f s of processor time in %.1f s\n", cpu,
                  (double)(uv_hrtime() - before) / 1e9);
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

/* TLS works, and stalled handshakes cost no processor time (libmicrohttpd's epoll modes would take all of
 * it). */
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
             "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out %s",
             key, certificate, other);
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

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_loris),
        cmocka_unit_test(test_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
