/* bundle.h - checks the bundle of one alarm (proto/journal.md), offline.
 *
 * Promises: reads the file only; a good report means that each entry stands in the record that the checkpoint
 * seals, as it is here, and with a key given, that its holder signed that checkpoint. What is wrong is said
 * in a sentence that names the entry. Does not: know of entries that were left out; no file of some entries
 * can prove that there are no others.
 *
 *     struct journal_verify_report r;
 *     char alarm[LIMIT_ALARM_ID];
 *     if (!bundle_verify("alarm-a3k5….tocsin.json", &options, &r, alarm)) puts(r.text);
 */
#ifndef TOCSIN_CLI_BUNDLE_H
#define TOCSIN_CLI_BUNDLE_H

#include "journal/journal_verify.h"

/* `alarm`: the one it is about, "" when that cannot be read. A witness must be of the bundle's own size. */
bool bundle_verify(const char *file, const struct journal_verify_options *, struct journal_verify_report *,
                   char alarm[LIMIT_ALARM_ID]);
/* Whether a file begins as a journal's database does, and is no bundle. */
bool bundle_is_database(const char *file);

#endif
