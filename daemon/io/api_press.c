/* The software button: an account's press takes the way of a press from the broker (engine_message), as the
 * device that its configuration names. */
#include "io/api_internal.h"
#include "io/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pressing {
    struct api *api;
    struct web_request *request;
};

static void answer_receipt(const struct pressing *p, const struct engine_receipt *r)
{
    struct api_out out;
    api_out_begin(&out, 1024);
    json_open(&out.o, NULL, '{');
    json_text(&out.o, "epoch", r->epoch);
    json_unsigned(&out.o, "n", r->n);
    json_text(&out.o, "stage", r->stage);
    if (r->alarm[0])
        json_text(&out.o, "alarm", r->alarm);
    json_time(&out.o, "at", clock_wall_ms());
    json_close(&out.o, '}');
    api_out_answer(&out, p->request);
}

static const char *why_refused(enum refusal refusal)
{
    return refusal == REFUSAL_DEVICE_DISABLED     ? "This device is marked as lost or stolen"
           : refusal == REFUSAL_NOTHING_TO_CANCEL ? "There is no open alarm to cancel"
                                                  : "It does not count as a press";
}

static void answer_no(const struct pressing *p, const struct engine_receipt *r)
{
    if (r->stage)
        api_problem(p->request,
                    &(struct api_problem){.type = API_REFUSED, .refusal = refusal_str(r->refusal)},
                    "%s: this was shown to the desk and opened no alarm.", why_refused(r->refusal));
    else if (r->alarm[0])
        api_problem(p->request, &(struct api_problem){.type = API_UNRECORDED, .alarm = r->alarm},
                    "The alarm went out, but the journal does not answer: press again until it is recorded.");
    else
        api_busy(p->request, "The press was not taken; press again.");
}

static void on_answer(void *ctx, const struct engine_receipt *r)
{
    struct pressing *p = ctx;
    struct api *api = p->api;
    if (r->stage && strcmp(r->stage, "refused") != 0)
        answer_receipt(p, r);
    else
        answer_no(p, r);
    free(p);
    api_release(api);
}

void api_press(struct api_call *c)
{
    const struct web_request *r = c->request;
    struct engine *engine = c->api->options.engine;
    struct pressing *p = malloc(sizeof *p);
    if (!p) {
        api_busy(c->request, "There is no memory for this; press again.");
        return;
    }
    *p = (struct pressing){.api = c->api, .request = c->request};
    char topic[2 * LIMIT_ID + 32];
    snprintf(topic, sizeof topic, "tocsin/v1/%s/%s/press", c->account->presses_at->id,
             c->account->presses_as->id);
    api_hold(c->api);
    engine_message(engine, &(struct engine_message){.topic = topic,
                                                    .payload = r->body,
                                                    .size = r->body_size,
                                                    .qos = 1,
                                                    .answer = on_answer,
                                                    .ctx = p});
    engine_batch_end(engine);
}
