/* reply.c - an endpoint's reply on the wire, as libcurl and our callbacks read it (io/http_client.h).
 *
 * The input is what the endpoint sends, in two writes, before it closes; its last two bytes say where it is
 * cut. Checked: one end for each request; it is an answer, or a sentence that may be shown; nothing above
 * LIMIT_BODY is kept; an answer that gives its length in two ways is none; and what is made of it has a
 * sentence, too. */
#include "fuzz.h"
#include "io/dispatch_answer.h"
#include "io/http_client.h"
#include <curl/curl.h>
#include <signal.h>
#include <strings.h>
#include <uv.h>

static uv_loop_t loop;
static uv_tcp_t listener;
static char url[64];

static struct exchange {
    const char *bytes;
    size_t size, cut;
    uv_tcp_t peer;
    uv_write_t writes[2];
    bool accepted, sent, closed, client_closed;
    unsigned ends;
} now;

static void on_peer_closed(uv_handle_t *handle)
{
    now.closed = true;
}

static void close_peer(void)
{
    if (!uv_is_closing((uv_handle_t *)&now.peer))
        uv_close((uv_handle_t *)&now.peer, on_peer_closed);
}

static void on_all_written(uv_write_t *write, int status)
{
    close_peer();
}

static void on_first_written(uv_write_t *write, int status)
{
    uv_buf_t rest = uv_buf_init((char *)now.bytes + now.cut, (unsigned)(now.size - now.cut));
    if (status != 0 || uv_is_closing((uv_handle_t *)&now.peer) ||
        uv_write(&now.writes[1], (uv_stream_t *)&now.peer, &rest, 1, on_all_written) != 0)
        close_peer();
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    static char room[4096];
    *buffer = uv_buf_init(room, sizeof room);
}

/* The request has come: answer it. */
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    if (size < 0) {
        close_peer();
    } else if (size > 0 && !now.sent) {
        now.sent = true;
        uv_buf_t first = uv_buf_init((char *)now.bytes, (unsigned)now.cut);
        if (uv_write(&now.writes[0], stream, &first, 1, on_first_written) != 0)
            close_peer();
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    must(status == 0 && !now.accepted, "a connection too many");
    now.accepted = true;
    uv_tcp_init(&loop, &now.peer);
    must(uv_accept(stream, (uv_stream_t *)&now.peer) == 0, "accept");
    uv_read_start((uv_stream_t *)&now.peer, give_room, on_read);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct sockaddr_in address;
    int size = sizeof address;
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    must(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0, "bind");
    must(uv_listen((uv_stream_t *)&listener, 8, on_connection) == 0, "listen");
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size);
    uv_unref((uv_handle_t *)&listener);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/alarm", ntohs(address.sin_port));
    return 0;
}

static bool has_line(const char *head, size_t size, const char *name)
{
    for (size_t i = 0; i + strlen(name) < size; i++)
        if (head[i] == '\n' && strncasecmp(head + i + 1, name, strlen(name)) == 0)
            return true;
    return false;
}

/* Up to the first empty line; a line may also end with a mere LF: RFC 9112, 2.2. 0: it never ends. */
static size_t head_size(void)
{
    const char *crlf = memmem(now.bytes, now.size, "\n\r\n", 3), *lf = memmem(now.bytes, now.size, "\n\n", 2);
    const char *end = !crlf || (lf && lf < crlf) ? lf : crlf;
    return end ? (size_t)(end - now.bytes) : 0;
}

/* RFC 9112, 6.3: such an answer may be cut differently by a proxy in between. */
static bool framed_in_two_ways(void)
{
    size_t size = head_size();
    return size >= 10 && memcmp(now.bytes, "HTTP/1.1 2", 10) == 0 && !memchr(now.bytes, '\0', size) &&
           has_line(now.bytes, size, "content-length:") && has_line(now.bytes, size, "transfer-encoding:");
}

static void on_done(void *ctx, const struct http_answer *a)
{
    struct dispatch_judgement j;
    now.ends++;
    must((a->status == 0) == (a->fault != NULL), "status %u and fault %s", a->status,
         a->fault ? a->fault : "none");
    if (a->fault) {
        must(a->fault[0], "a fault without a sentence");
        fuzz_must_be_clean("a fault", a->fault, LIMIT_TEXT);
    }
    must(a->body_size <= LIMIT_BODY && (a->body || a->body_size == 0), "%zu bytes are kept", a->body_size);
    must(a->retry_after_s <= 86400, "to be tried again after %u s", a->retry_after_s);
    must(!framed_in_two_ways() || a->fault, "an answer of two lengths is taken");
    dispatch_judge(a, CONF_CONFIRM_ECHO, "aqwsxedcrfvtgbyhnujmi", &j);
    must(j.text[0], "a judgement without a sentence");
    fuzz_must_be_clean("a judgement", j.text, sizeof j.text);
}

static void on_client_closed(void *ctx)
{
    now.client_closed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    now = (struct exchange){.bytes = (const char *)data};
    size_t cut = fuzz_take_number(data, &size, 2);
    now.size = size;
    now.cut = size ? cut % size : 0;
    const struct http_client_options options = {.ca_file = "",
                                                .certificate_file = "",
                                                .key_file = "",
                                                .crl_file = "",
                                                .connect_timeout_ms = 5000,
                                                .connections = 1,
                                                .closed = on_client_closed};
    struct http_client *client = http_client_create(&loop, &options);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    const struct http_post post = {
        .url = url, .headers = headers, .body = "{}", .body_size = 2, .timeout_ms = 5000, .done = on_done};
    must(client && headers && http_client_post(client, &post), "no memory");
    while (now.ends == 0)
        uv_run(&loop, UV_RUN_ONCE);
    http_client_retire(client);
    while (!now.client_closed || (now.accepted && !now.closed))
        uv_run(&loop, UV_RUN_ONCE);
    must(now.ends == 1, "%u ends of one request", now.ends);
    curl_slist_free_all(headers);
    return 0;
}
