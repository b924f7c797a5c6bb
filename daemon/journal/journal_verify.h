/* journal_verify.h - can the record be trusted? Checks a database or an export, whole, without a daemon.
 *
 * Promises: reads only; holds no read transaction over 1 s, so a running daemon is not disturbed; memory does
 * not grow with the journal. Names the first bad entry and says in a sentence what is wrong with it. What a
 * good report means: these lines are the ones the checkpoint was signed over; and, when a witness is given
 * (size and root that somebody else was told), nothing before that size has been changed since. A database's alarms are
 * found whole, too: each entry under the alarm that its line names, and under no other. What cannot be read is not called
 * changed: that is a finding of its own.
 *
 *     struct journal_verify_options o = {.public_key = "tocsin.example.edu+1a2b3c4d+AX…"};
 *     struct journal_verify_report r;
 *     if (!journal_verify_database("/var/lib/tocsin/journal.db", &o, &r)) puts(r.text);
 */
#ifndef TOCSIN_JOURNAL_VERIFY_H
#define TOCSIN_JOURNAL_VERIFY_H

#include "journal/note.h"
#include "limits.h"
#include <stdbool.h>
#include <stdint.h>

struct journal_verify_options {
    /* Text form, as in journal.pub. NULL: an export's own journal.pub is used, a database's signature is not
     * checked. Either way report.signed_by_key is false: whoever can change the record could also have replaced
     * that file. */
    const char *public_key;
    uint64_t witness_size; /* 0 = no witness */
    unsigned char witness_root[32];
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* or NULL; every few thousand entries */
    void *ctx;
};

struct journal_verify_report {
    bool good;
    bool unread; /* not good because something could not be opened or read: says nothing of the record */
    bool signed_by_key; /* by the key that was given */
    uint64_t checked;   /* entries read */
    uint64_t first_bad; /* seq, 0 = none, or what is wrong is not about one entry */
    uint64_t size;      /* entries that the checkpoint seals */
    unsigned char root[32];
    char origin[NOTE_ORIGIN];
    char text[LIMIT_TEXT]; /* the finding, one sentence */
};

bool journal_verify_database(const char *file, const struct journal_verify_options *,
                             struct journal_verify_report *);
bool journal_verify_export(const char *folder, const struct journal_verify_options *,
                           struct journal_verify_report *);

#endif
