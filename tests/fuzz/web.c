/* web.c - what a client sends to the web server, byte by byte: request line, headers, body; through
 * libmicrohttpd and the callbacks of io/web.c.
 *
 * Checked: what is handed over is as io/web.h promises: path and query are UTF-8 without NUL, no path climbs,
 * at most WEB_QUERY parameters, a body of at most WEB_BODY bytes that ends with a NUL; and every connection
 * comes to its end. */
#include "io/web.h"
#include "fuzz.h"
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct web *web;
static bool over;

static bool is_text(const char *text)
{
    json_t *value = json_string(text);
    json_decref(value);
    return value != NULL;
}

static void on_request(void *ctx, struct web_request *r)
{
    must(r->method[0] && is_text(r->path), "path \"%s\"", r->path);
    must(!strstr(r->path, "/../") && !strstr(r->path, "/./"), "path \"%s\" climbs", r->path);
    must(r->query_count <= WEB_QUERY, "%zu parameters", r->query_count);
    for (size_t i = 0; i < r->query_count; i++)
        must(is_text(r->query[i].name) && is_text(r->query[i].value), "a parameter is no text");
    must(r->body && r->body_size <= WEB_BODY && r->body[r->body_size] == '\0', "a body of %zu bytes",
         r->body_size);
    web_answer(r, 200, "text/plain", "X-Test: 1", r->body, r->body_size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[256];
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    web = web_create(&loop, &(struct web_options){.listen = "127.0.0.1:0", .on_request = on_request}, error);
    must(web, "%s", error);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    over = true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    char answer[4096];
    int fd;
    uv_fileno((uv_handle_t *)poll, &fd);
    ssize_t size = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (status != 0 || size == 0 || (size < 0 && errno != EAGAIN)) {
        uv_poll_stop(poll);
        uv_close((uv_handle_t *)poll, on_closed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)web_port(web)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger reset = {1, 0}; /* no connection is left behind waiting */
    uv_poll_t poll;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int connected = -1;
    while (fd >= 0 && (connected = connect(fd, (struct sockaddr *)&address, sizeof address)) != 0 &&
           errno == EINTR)
        ; /* the fuzzer's alarm; the connection goes on being made */
    must(connected == 0 || (fd >= 0 && errno == EISCONN), "no connection: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, data + sent, size - sent, 0);
        if (n <= 0)
            break; /* it has closed already */
        sent += (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    over = false;
    uv_poll_init(&loop, &poll, fd);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    while (!over)
        uv_run(&loop, UV_RUN_ONCE);
    close(fd);
    return 0;
}
