/* reserve.h - room for the hours between "the disk is full" and somebody who makes room: a file of real blocks beside the
 * journal that is removed when the journal cannot grow, or a quota does not let it, so that presses can still be recorded.
 *
 *     reserve_make(&r, "/var/lib/tocsin/journal.db");    // at the start, and in quiet while it is missing
 *     if (disk_is_full) reserve_release(&r);
 */
#ifndef TOCSIN_RESERVE_H
#define TOCSIN_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#define RESERVE_BYTES (16 * 1024 * 1024)

struct reserve {
    char *file;
    bool missing;
};

/* Makes it when it is missing and the disk and a quota have room for it twice. */
void reserve_make(struct reserve *, const char *beside);
void reserve_release(struct reserve *);
/* Free for us on the disk that has this file; 0 when it cannot be told. */
uint64_t reserve_free_bytes(const char *file);

#endif
