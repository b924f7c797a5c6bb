/* table.h - what the generator writes and the sinks complete: one row a press, in a file that both map.
 *
 * A press of the bench has the identity device "d<number>", epoch "bench", n; device numbers are unique over
 * all sites. Its row is n * devices + device. All stamps are CLOCK_MONOTONIC of one machine.
 *
 *     struct table *t = table_create(file, devices, rows);   // the sink
 *     struct table *t = table_open(file);                    // the generator
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TABLE_SINKS 2
#define TABLE_EPOCH "bench"

struct table_row {
    uint64_t sent_ns;                      /* right before the press was written to its connection */
    _Atomic uint64_t seen_ns[TABLE_SINKS]; /* when a request naming it had arrived whole; 0 = not yet */
};

struct table {
    uint32_t devices, rows;
    _Atomic uint32_t seen[TABLE_SINKS]; /* rows seen */
    struct table_row row[];
};

struct table *table_create(const char *file, uint32_t devices, uint32_t rows);
struct table *table_open(const char *file);
bool table_seen_by_all(const struct table *, uint32_t row);
uint64_t table_now_ns(void);

/* For a bench every failure is final: "what: why", exit 2. */
_Noreturn void bench_fail(const char *what);

#endif
