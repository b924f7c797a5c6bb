/* dispatch_answer.h - what an endpoint's answer means (proto/webhook.md, "Answers"). Judges; knows no queue.
 */
#ifndef TOCSIN_DISPATCH_ANSWER_H
#define TOCSIN_DISPATCH_ANSWER_H

#include "conf/conf.h"
#include "core/event.h"
#include "io/http_client.h"

enum dispatch_pace {
    PACE_SCHEDULE, /* tried again at 1, 2, 5, 10 … s */
    PACE_SLOW      /* a person must mend or decide something: every 30 s */
};

struct dispatch_judgement {
    enum delivery_outcome outcome;
    enum dispatch_pace pace;
    bool silent;            /* no HTTP answer at all */
    uint16_t http_status;   /* 0 = none */
    unsigned retry_after_s; /* 0 = not said */
    char text[LIMIT_TEXT];  /* "answered 503 Service Unavailable" */
    char acknowledged_by[LIMIT_ID];
};

/* `echo`: the alarm id that must be named when `confirm` says so; "" = none asked for. */
void dispatch_judge(const struct http_answer *, enum conf_confirm, const char *echo,
                    struct dispatch_judgement *out);

#endif
