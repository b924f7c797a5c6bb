/* journal_export.h - the record for outsiders: a folder anybody can check, the proof of one entry, a note's
 * erasure.
 *
 * An export is four files: journal.ndjson (the lines), leaves.txt (the hash of each, so that the first bad
 * line can be named), checkpoint.txt (the signed root), journal.pub (the key). How to check it by hand:
 * proto/journal.md. Reads only (but for erasing) and disturbs no running daemon.
 *
 *     if (!journal_export("/var/lib/tocsin/journal.db", key_text, "/tmp/evidence", NULL, NULL, &unread, error)) …
 *     char *proof = journal_prove("/var/lib/tocsin/journal.db", 17, &unread, error);   // a shell script; free() it
 */
#ifndef TOCSIN_JOURNAL_EXPORT_H
#define TOCSIN_JOURNAL_EXPORT_H

#include "limits.h"
#include <stdbool.h>
#include <stdint.h>

/* `folder` must not exist; it appears whole or not at all. `public_key`: text form; the checkpoint must be
 * signed by it. `progress` may be NULL. `unread`: it failed because the database could not be opened or read, which says
 * nothing of the record. */
bool journal_export(const char *database, const char *public_key, const char *folder,
                    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                    bool *unread, char error[LIMIT_TEXT]);

/* The proof that entry `seq` is sealed by the newest checkpoint, as text that is also a shell script: run
 * with sh it prints each hash on the way to the root, made with sha256sum, and does nothing else, whoever wrote the
 * database. NULL: error says why, and `unread` as above. The caller frees it. */
char *journal_prove(const char *database, uint64_t seq, bool *unread, char error[LIMIT_TEXT]);

/* Removes a note's text and salt for good from the database of a daemon that does not run (the caller holds
 * the lock; a running one: journal_erase_note() of journal.h), and the archive with it, which is made anew. Every hash and proof stays valid.
 * False, too, when there is no such entry or it has no note: a mistyped number erases nothing; and when a program that reads
 * the journal keeps the words in its log: then once more, when that has ended. */
bool journal_export_erase_note(const char *database, uint64_t seq, char error[LIMIT_TEXT]);

#endif
