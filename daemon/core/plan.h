/* plan.h - who is told in which order, and how long each may take to answer.
 *
 * A plan is a value: it is copied into the press that opens an alarm and from there into the alarm, so that a
 * change of the configuration never disturbs an open alarm. */
#ifndef TOCSIN_PLAN_H
#define TOCSIN_PLAN_H

#include "core/kind.h"
#include "limits.h"
#include <stdint.h>

struct plan_endpoint {
    char id[LIMIT_ID];
    enum role role;
    uint8_t step; /* the rung on which it is told; rungs count from 0 */
};

struct plan {
    char id[LIMIT_ID];
    uint8_t step_count;                         /* 1..LIMIT_STEPS; 0: the press carries no plan */
    uint8_t endpoint_count;                     /* endpoints are in the order of their steps */
    uint8_t acks_needed;                        /* bit set of (1u << role); never 0 in a checked plan */
    uint32_t answer_timeout_s[LIMIT_STEPS];     /* how long the step waits for an answer before the next is told */
    uint32_t coming_timeout_s;                  /* acknowledged, but nobody coming after this: told again; 0 = never */
    struct plan_endpoint endpoints[LIMIT_PLAN_ENDPOINTS];
};

#endif
