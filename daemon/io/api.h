/* api.h - /api/v1, /healthz, /readyz, /metrics: the routes table over engine, board and history
 * (proto/openapi.yaml).
 *
 * Promises: every request gets exactly one answer that proto/openapi.yaml knows; a deed is answered 200 only
 * after the journal's commit; an account never learns anything about sites that it does not see. Does not:
 * decide anything: deeds go to the engine, questions to the board and the history.
 *
 *     struct api *api = api_create(&options, error);      // after engine_start()
 *     … ports.applied: api_event(api, event, line, size);
 *     … after engine_set_conf(): api_conf_changed(api);
 *     api_destroy(api);                                   // before history, engine and dispatch go
 */
#ifndef TOCSIN_API_H
#define TOCSIN_API_H

#include "engine.h"
#include "io/dispatch_http.h"
#include "io/mqtt.h"
#include "io/web.h"
#include "io/web_files.h"
#include "journal/history.h"

struct api;

struct api_options {
    uv_loop_t *loop;
    struct engine *engine;
    struct dispatch *dispatch; /* for endpoint states; NULL in tests */
    struct mqtt *mqtt;         /* for counts, and whether presses come; NULL in tests */
    struct mqtt *supervision;  /* for counts; NULL = none */
    struct history *history;
    const char *journal_file;  /* beside it stands the archive; NULL: closed alarms cannot be searched */
    const char *version;
};

struct api *api_create(const struct api_options *,
                       char error[256]); /* starts the web server of the engine's conf */
unsigned api_port(const struct api *);
/* Accounts and sites are looked up anew; the listener needs a restart. `take_files`: the desk's page, read anew (NULL:
 * the old stays). */
void api_conf_changed(struct api *, struct web_files *take_files);
/* Each applied event goes to the feeds; `line` is the journal line. */
void api_event(struct api *, const struct event *, const char *line, size_t size);
/* Ends the server. What still waits for the history or the engine lets go of its memory when they answer. */
void api_destroy(struct api *);

#endif
