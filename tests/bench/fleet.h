/* fleet.h - a thousand buttons in one thread: each with a connection of its own to the broker, and one
 * connection more that hears the receipts of all.
 *
 * Device d stands in site d % sites and speaks over connection d % connections. A press is stamped in the
 * table right before it is written. Nothing is repeated unless the caller presses again.
 *
 *     struct fleet *f = fleet_open(&options);
 *     fleet_press(f, device, n);
 *     while (…) fleet_pump(f, 1);
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "table.h"

struct fleet;

struct fleet_options {
    int port;
    unsigned connections, sites;
    struct table *table;
    void (*on_puback)(void *ctx, unsigned connection); /* NULL, or: the broker has taken its press */
    void *ctx;
};

struct fleet *fleet_open(const struct fleet_options *); /* connected and subscribed when it returns */
void fleet_close(struct fleet *);
void fleet_press(struct fleet *, uint32_t device, uint32_t n);
void fleet_heartbeat(struct fleet *, uint32_t device);
void fleet_pump(struct fleet *, int wait_ms); /* handles what came; waits at most so long for it */
uint64_t fleet_pubacks(const struct fleet *);
uint64_t fleet_receipts(const struct fleet *);                 /* presses with a receipt "recorded" */
uint64_t fleet_receipt_ns(const struct fleet *, uint32_t row); /* 0 = none yet */

#endif
