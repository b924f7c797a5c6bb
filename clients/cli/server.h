/* server.h - asks the daemon over HTTP (proto/openapi.yaml): where it is, who we are, what went wrong.
 *
 * Promises: the token comes from a file that others cannot read and goes unencrypted to no other machine
 * (unless
 * --plain-http); redirects are not followed, proxies of the environment not used. Each failure has been
 * explained on standard error (with --json the problem+json also went to standard output) and is an exit code
 * of command.h.
 *
 *     struct server *s = server_open(inv, &result);
 *     json_t *answer;
 *     if (s && (result = server_get(s, "/api/v1/alarms", &answer)) == RESULT_OK) …
 *     server_close(s);
 */
#ifndef TOCSIN_CLI_SERVER_H
#define TOCSIN_CLI_SERVER_H

#include "cli/command.h"
#include <jansson.h>

struct server;

struct server *server_open(const struct invocation *, int *result); /* NULL: complained */
void server_close(struct server *);                                 /* NULL is fine */
const char *server_url(const struct server *);
void server_quiet(struct server *, bool quiet); /* true: failures are not explained */

int server_get(struct server *, const char *path, json_t **out);
int server_get_text(struct server *, const char *path, char **out, size_t *size); /* free() it */
/* `body` is taken. `problem` (or NULL) gets a problem+json answer. */
int server_post(struct server *, const char *path, json_t *take_body, json_t **out, json_t **problem);

/* A feed: `take` gets its bytes until it returns false, the feed ends, or nothing came for 10 s. RESULT_OK:
 * `take` ended it. RESULT_UNREACHABLE: `why` says how it ended. Everything else was complained about. */
int server_follow(struct server *, const char *path, const char *last_event_id,
                  bool (*take)(void *ctx, const char *bytes, size_t size), void *ctx, char why[256]);

#endif
