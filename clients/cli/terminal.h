/* terminal.h - everything the tool says goes through here, one line at a time.
 *
 * Promises: whatever text came from outside (names, reasons, payloads, an endpoint's answer), no control
 * character, bidirectional override or line break reaches the terminal (codec/text.h). There is no second way
 * out: lines are cleaned where they are written, so nobody can forget to. Does not: translate (texts.h),
 * decide.
 *
 *     terminal_init(false);
 *     say(TONE_BAD, "%s could not be told: %s", endpoint, reason);
 *     return terminal_finish(result);
 */
#ifndef TOCSIN_CLI_TERMINAL_H
#define TOCSIN_CLI_TERMINAL_H

#include "cli/texts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tone { TONE_PLAIN, TONE_STRONG, TONE_ALARM, TONE_GOOD, TONE_BAD, TONE_QUIET, TONE_COUNT };

/* Colours when standard output is a terminal and NO_COLOR is not set. Also sets LC_CTYPE, for column widths.
 */
void terminal_init(bool utc);

/* JSON as it may be shown: what must not reach a terminal becomes \uXXXX, so it stays the same JSON.
 * malloc'd. */
char *terminal_safe_json(const char *json, size_t size);

/* Columns a safe text takes on a terminal; a Chinese character takes two. */
int terminal_columns(const char *text);

void say(enum tone, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_text(enum tone, const char *line);
#define say_about(TONE, WHICH, ...) say_filled(TONE, WHICH, (struct text_value[]){__VA_ARGS__, {NULL, NULL}})
void say_filled(enum tone, enum text, const struct text_value *);
void say_pair(enum tone first_tone, const char *first, enum tone second_tone,
              const char *second); /* on one line */
/* One JSON text and a newline; as it is, unless it goes to a terminal. */
void say_json(const char *json, size_t size);

/* A sentence on standard error: "tocsin: …". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same from texts.def: complain_about(TEXT_CANNOT_READ, {"file", name}, {"why", why}). */
#define complain_about(WHICH, ...) complain_filled(WHICH, (struct text_value[]){__VA_ARGS__, {NULL, NULL}})
void complain_filled(enum text, const struct text_value *);
/* A sentence on standard error without the name before it: states, hints, progress. */
void remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define remark_about(WHICH, ...) remark_filled(WHICH, (struct text_value[]){__VA_ARGS__, {NULL, NULL}})
void remark_filled(enum text, const struct text_value *);

/* A line on standard error that renews itself, only when that is a terminal; total 0 = unknown. */
void terminal_progress(const char *what, uint64_t done, uint64_t total);
void terminal_progress_end(void);

/* Moments as the reader's clock shows them (or UTC). */
#define TERMINAL_TIME 48
void terminal_time(char out[TERMINAL_TIME], int64_t at_ms);  /* 2026-11-23 08:00:00.123 +08:00 */
void terminal_clock(char out[TERMINAL_TIME], int64_t at_ms); /* 08:00:00.123 */
void terminal_date(char out[TERMINAL_TIME], int64_t at_ms);  /* 2026-11-23 +08:00 */

/* Lines go to `file` instead of standard output, without colours; NULL: back again. */
void terminal_redirect(FILE *file);

/* Flushes, for who reads along. False: what was said cannot be written, and terminal_finish() will say so. */
bool terminal_flush(void);

/* Flushes; `result`, or RESULT_NOT_SO with a sentence when what was said could not be written. */
int terminal_finish(int result);

/* A table: cells row by row, then printed in aligned columns. */
struct columns;
struct columns *columns_create(int columns);
void columns_cell(struct columns *, enum tone, const char *format, ...) __attribute__((format(printf, 3, 4)));
void columns_print_and_destroy(struct columns *); /* the first row is the head */

#endif
