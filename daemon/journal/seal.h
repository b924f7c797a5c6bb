/* seal.h - the signature of a batch's checkpoint, made by whoever has time.
 *
 * Ed25519 takes tens of microseconds that a press would wait for. So the writer asks for the signature as soon as it knows
 * the root, and puts the lines into the store meanwhile; the loop, which is awake while a press is being committed, makes
 * it. When nobody does, the writer makes it itself at the moment when it needs it.
 *
 *     seal_ask(&s, size, root);               // the writer, or for it while it sleeps
 *     seal_help(&s);                          // another thread, at any time
 *     const char *note = seal_take(&s);       // the writer; the same again, until it asks anew
 *     seal_over(&s);                          // the batch is committed
 */
#ifndef TOCSIN_SEAL_H
#define TOCSIN_SEAL_H

#include "journal/note.h"
#include <stdatomic.h>

enum seal_state { SEAL_NONE, SEAL_ASKED, SEAL_BEING_MADE, SEAL_MADE };

struct seal { /* zeroed, with these two set, before the first call */
    const char *origin;
    const unsigned char *secret_key;
    _Atomic enum seal_state state;
    struct note_checkpoint checkpoint;
    char note[NOTE_TEXT];
};

void seal_ask(struct seal *, uint64_t size, const unsigned char root[32]);
bool seal_asked(struct seal *);
/* True: of the batch under way nothing is left to be done. */
bool seal_help(struct seal *);
const char *seal_take(struct seal *);
void seal_over(struct seal *);

#endif
