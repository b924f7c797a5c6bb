/* alarms.h - what several commands need about one alarm of the daemon. */
#ifndef TOCSIN_CLI_ALARMS_H
#define TOCSIN_CLI_ALARMS_H

#include "cli/server.h"
#include "cli/story.h"
#include "limits.h"

/* `given` is an alarm's id, or its beginning that only one alarm has. RESULT_OK, or complained. */
int alarms_resolve(struct server *, const char *given, char id[LIMIT_ALARM_ID]);

/* Its full story (schema AlarmStory). */
int alarms_fetch(struct server *, const char *id, json_t **out);

/* Teaches the teller the names that stand in an alarm. */
void alarms_names(struct story *, const json_t *alarm);
/* And those of the daemon's endpoints and sites. False, without a word, when they cannot be had: ids stand
 * alone then. */
bool server_names(struct server *, struct story *);

/* The note beside entry `seq` of an AlarmStory; NULL = none. */
const char *alarms_note(const json_t *alarm, uint64_t seq);

#endif
