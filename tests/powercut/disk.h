/* disk.h - a folder of files in memory that knows what a power cut would leave of it.
 *
 * What was written is there for every reader at once, as in the kernel's page cache, but durable only when
 * the file was synced; a name (a file made or removed) only when the folder was. Until then a cut keeps any
 * part of it: nothing, all, the first or the last writes, some, some sectors of each, rubbish in one sector.
 * Bytes outside of what is being written stay as they are (SQLite's "powersafe overwrite", which Linux's file
 * systems give).
 *
 * After a sync that failed the kernel calls the pages clean: readers go on seeing them, a later sync says
 * success and does not write them. Here too, until something else is written to the same page, or they are forgotten.
 *
 *     disk_write(f, bytes, size, at);   disk_sync(d, f);
 *     struct disk_damage damage = disk_cut(d, &dice);    // now the files are those found after the cut
 */
#ifndef POWERCUT_DISK_H
#define POWERCUT_DISK_H

#include "../sim/dice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_NAMES 16
#define DISK_PATH 128 /* bytes with NUL */
#define DISK_FILE_MOST ((size_t)256 << 20)
#define DISK_KEPT_MOST ((size_t)1 << 30)
#define DISK_SHM 256 /* regions of 32 KiB: memory that processes share, never durable */

struct disk_change {                     /* since the last sync */
    bool truncate, settled;              /* settled: durable, about to be forgotten */
    bool left_behind;                    /* by a sync that failed: not written by the next one */
    size_t at, size;                     /* truncate: the bytes cut off */
    const unsigned char *before, *after; /* NULL = zeros, of which a log that is warmed has many */
    size_t before_size;                  /* what follows was zeros */
};

struct disk_file {
    unsigned char *bytes; /* DISK_FILE_MOST of address space */
    size_t size, durable_size;
    size_t zero_from; /* zeros from here on, whether they belong to the file or lie behind its end */
    struct disk_change *changes; /* in order; undone from the last to the first, the durable bytes are left */
    size_t count, room;
    unsigned char *kept; /* DISK_KEPT_MOST of address space: the bytes of the changes */
    size_t kept_size;
    unsigned char *shm[DISK_SHM];
};

struct disk_name {
    char path[DISK_PATH];
    struct disk_file *file, *durable; /* NULL = there is no such file */
};

enum disk_moment { DISK_BETWEEN, DISK_BEFORE_SYNC, DISK_AFTER_SYNC };

struct disk_fault { /* armed until it has happened once */
    enum { FAULT_NONE, FAULT_SYNC, FAULT_WRITE } kind;
    const char *suffix; /* of the file's path: "-wal", ".db" */
    unsigned after;     /* so many more go well */
};

struct disk {
    struct disk_name names[DISK_NAMES];
    struct disk_fault fault;
    uint64_t syncs, lie_about; /* the sync of this number says it has synced; UINT64_MAX = all do */
    void (*moment)(void *ctx, enum disk_moment);
    void *ctx;
};

struct disk_damage {
    unsigned lost, torn; /* changes */
};

struct disk_file *disk_find(struct disk *, const char *path); /* NULL: there is none */
struct disk_file *disk_create(struct disk *, const char *path);
bool disk_remove(struct disk *, const char *path); /* false: there is none */
void disk_sync_folder(struct disk *);

/* Gives the bytes read; fewer at the end of the file. */
size_t disk_read(const struct disk_file *, void *out, size_t size, size_t at);
/* False: the armed fault; half of it was written, or the sync's outcome is unknown. */
bool disk_write(struct disk *, struct disk_file *, const void *bytes, size_t size, size_t at);
void disk_truncate(struct disk *, struct disk_file *, size_t size);
bool disk_sync(struct disk *, struct disk_file *);

/* Syncs a file and forgets what the disk does not have of it: of what a sync has left behind any part may be there. */
bool disk_refresh(struct disk *, struct disk_file *, struct dice *);

struct disk_damage disk_cut(struct disk *, struct dice *);
void disk_forget_shm(struct disk *); /* all processes have ended */
void disk_finish(struct disk *);

#endif
