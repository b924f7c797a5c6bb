/* health.h - looks at the machine every 5 s: room on the disk, a disciplined clock. A disk that hangs holds up nobody: it is
 * asked on libuv's pool, and one that has not answered until the next look is trouble.
 *
 *     struct health *h = health_create(loop, conf, report, ctx);    // report(ctx, TROUBLE_DISK, "disk", true, "…")
 */
#ifndef TOCSIN_HEALTH_H
#define TOCSIN_HEALTH_H

#include "conf/conf.h"
#include "core/event.h"
#include <uv.h>

struct health;
/* Called at each look, not only on change: the receiver knows what it has heard. */
typedef void health_report_fn(void *ctx, enum trouble_code, const char *part, bool raised, const char *text);

struct health *health_create(uv_loop_t *, const struct conf *, health_report_fn *, void *ctx);
void health_conf_changed(struct health *, const struct conf *);
void health_destroy(struct health *);

#endif
