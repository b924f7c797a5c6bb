/* world.h - the real journal on the real SQLite store on a disk that forgets, and beside it what is true:
 * what was handed to the store, what it said it has kept. */
#ifndef POWERCUT_WORLD_H
#define POWERCUT_WORLD_H

#include "disk.h"
#include "journal/journal.h"
#include "lines.h"
#include <sqlite3.h>

enum note_state { NOTE_KEPT, NOTE_GOING, NOTE_ERASED /* so it was said */, NOTE_NOWHERE /* in the files */ };

struct kept_snapshot {
    uint64_t seq;
    size_t size;
    unsigned char hash[32];
};

struct truth {
    uint64_t submitted, committed; /* entries handed to the store; entries reported as committed */
    enum note_state *notes;        /* of entry i + 1 */
    struct kept_snapshot snapshots[128];
    size_t snapshot_count;
    uint64_t snapshot_sure; /* the newest that the store said it has kept */
};

/* A store in front of the real one, which sees all that the journal tells it. */
struct witness {
    struct store store, *inner;
    struct truth *truth;
    bool busy; /* what tidy() is told */
};

struct world {
    struct disk disk;
    struct lines lines;
    unsigned char (*leaves)[32]; /* their hashes */
    struct truth truth;
    struct witness witness;
    struct journal *journal; /* NULL = the daemon does not run */
    sqlite3 *reader;         /* another connection that reads, or NULL */
    unsigned char public_key[32], secret_key[64];
    char key_text[NOTE_KEY_TEXT], folder[64], file[100];
};

void world_make(struct world *, size_t line_count);
void world_finish(struct world *);

bool world_open(struct world *, char error[LIMIT_TEXT]);
void world_close(struct world *);
void world_died(struct world *); /* the daemon was killed, with all its connections */
uint64_t world_committed(struct world *);
void world_append(struct world *, unsigned count); /* the next lines; nothing is committed yet */
/* Of the first `size` lines; made with nothing of the journal's. */
void world_root(const struct world *, size_t size, unsigned char out[32]);

#endif
