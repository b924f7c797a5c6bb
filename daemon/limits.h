/* limits.h - every limit of Tocsin, with its unit and its reason.
 *
 * A limit never stops an alarm: where one is reached the daemon goes on with less detail and raises trouble.
 * But for one: beyond LIMIT_ALARMS on the board a new case is recorded and raises trouble, and is told to nobody.
 * The pools of the board are reserved once and touched only when used, so a large number here costs address
 * space, not memory. */
#ifndef TOCSIN_LIMITS_H
#define TOCSIN_LIMITS_H

/* Names. All sizes count the final NUL. */
#define LIMIT_ID 48       /* bytes; an id of a site, zone, device, endpoint, plan, account: [A-Za-z0-9_.-]{1,47} */
#define LIMIT_EPOCH 24    /* bytes; a button's epoch, made when its counter starts anew */
#define LIMIT_ALARM_ID 24 /* bytes; "a" and 20 base32 characters: 100 bits of a hash, no accident in a lifetime */
#define LIMIT_TEXT 256    /* bytes; a reason, an error sentence, a person's name */
#define LIMIT_RAW 256     /* bytes; how much of an odd payload is kept with the press */
#define LIMIT_URL 1024    /* bytes; where an endpoint is told, a token in its query included */
#define LIMIT_NOTE 2000   /* bytes; a note a person writes; stored beside the journal */

/* Plans. A plan is copied into each alarm, so it stays small. */
#define LIMIT_STEPS 8           /* rungs of a plan: more is a phone book, not a plan */
#define LIMIT_PLAN_ENDPOINTS 16 /* endpoints told by one plan */

/* The board. The small one is of the builds that fuzz: a board for each input, and one that runs full. */
#ifndef TOCSIN_SMALL_BOARD
#define LIMIT_ALARMS 16384         /* open alarms; a city of 10,000 schools, all at once */
#define LIMIT_PRESSES 262144       /* presses of open alarms kept with identity and place */
#define LIMIT_DEVICES 131072       /* devices whose last counters are remembered against replays */
#define LIMIT_TROUBLES 131072      /* troubles at once: every device of a city may fall silent together */
#define LIMIT_TROUBLES_HOUSE 24576 /* of them kept for what is not about a device: journal, endpoints, plans exhausted */
#else
#define LIMIT_ALARMS 16
#define LIMIT_PRESSES 24
#define LIMIT_DEVICES 24
#define LIMIT_TROUBLES 16
#define LIMIT_TROUBLES_HOUSE 4
#endif
#define LIMIT_EPOCHS 4             /* epochs of one device of which it is remembered what was heard */
#define LIMIT_EPOCHS_LEFT 28       /* older ones, known by name only: without storage a button makes one at each start */

/* Messages. */
#define LIMIT_PAYLOAD 2048          /* bytes of a press payload that are parsed; a longer one is odd, and still a press */
#define LIMIT_LINE 8192             /* bytes of one journal line, newline not counted */
#define LIMIT_BODY 65536            /* bytes of a webhook body, and of an endpoint's answer */
#define LIMIT_BODY_PRESSES 200      /* presses named in one body; more follow in the next body at once */
#define LIMIT_JSON_DEPTH 16         /* nesting of any JSON from outside */

/* The record. */
#define LIMIT_BATCH 4096     /* events of one commit */
#define LIMIT_BACKLOG 65536  /* events waiting for a disk that does not answer: about 32 MB */

#endif
