/* story.h - an event, told in one sentence. Shared by show, watch, replay and simulate.
 *
 * Promises: every event gets a sentence, also one this tool does not know. What was recorded is told, nothing
 * is guessed: a plan's times, and whether a deed changed something, are told only when the same teller told
 * the alarm's opening. What an event did is asked of the daemon's own core. Does not: print (terminal.h
 * cleans and prints), read clocks.
 *
 *     struct story *s = story_create();
 *     story_zone(s, "school-1", "204", "Room 204");
 *     struct story_line line;
 *     story_tell(s, &event, note, &line);     // line.text, line.tone, line.after_ms
 *     story_destroy(s);
 */
#ifndef TOCSIN_CLI_STORY_H
#define TOCSIN_CLI_STORY_H

#include "cli/terminal.h"
#include "core/event.h"

#define STORY_TEXT 4096

struct story;

struct story_line {
    char text[STORY_TEXT];
    enum tone tone;
    char alarm[LIMIT_ALARM_ID];
    int64_t at_ms;
    bool useless;     /* a deed or a deadline that changed nothing */
    int64_t after_ms; /* since the alarm was opened, by the daemon's own clock; -1 = not known */
};

struct story *story_create(void);
void story_destroy(struct story *);

/* What an id is called: `what` is "site", "endpoint" or "account". Copied. */
void story_name(struct story *, const char *what, const char *id, const char *name);
void story_zone(struct story *, const char *site, const char *zone, const char *name);
/* The id itself when it has no name. */
const char *story_name_of(const struct story *, const char *what, const char *id);

/* `note`: the words beside the event, NULL = none or erased. */
void story_tell(struct story *, const struct event *, const char *note, struct story_line *out);
/* The same from a journal line; one that cannot be decoded is told as it is. */
void story_tell_line(struct story *, const char *line, size_t size, const char *note, struct story_line *out);

/* Prints it: wall clock, seconds since the opening, sentence; `with_alarm`: and the alarm's id before it. */
void story_say(const struct story_line *, bool with_alarm);
/* "+12.345 s", padded; blank when not known. */
#define STORY_AFTER 32
void story_after(char out[STORY_AFTER], int64_t after_ms);

#endif
