/* metrics.h - what can be counted, in Prometheus' text format 0.0.4: names tocsin_…, seconds and bytes.
 *
 *     size_t size;
 *     char *text = metrics_text(&source, &size);   // free() it
 */
#ifndef TOCSIN_METRICS_H
#define TOCSIN_METRICS_H

#include "engine.h"
#include "io/dispatch_http.h"
#include "io/mqtt.h"

struct metrics_source {
    struct engine *engine;
    struct dispatch *dispatch; /* NULL: not told */
    struct mqtt *mqtt;         /* NULL: not told */
    struct mqtt *supervision;  /* its counts are added; NULL = none */
    unsigned feeds;
    const char *version;
};

char *metrics_text(const struct metrics_source *, size_t *size); /* malloc'd; NULL: no memory */

#endif
