/* log.h - structured lines on standard error; the journal is the truth, the log only explains it.
 *
 *     log_line(LOG_LEVEL_INFO, "a3k5…", "police: received in 12 ms");
 *     → level=info alarm=a3k5… text="police: received in 12 ms"
 *
 * Promises: never blocks: when nobody reads, lines are dropped and counted, and the count is logged later. Control
 * characters are replaced, so no text from outside can forge a line. */
#ifndef TOCSIN_LOG_H
#define TOCSIN_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };

bool log_level_of(const char *text, enum log_level *out);
void log_set_level(enum log_level);
void log_line(enum log_level, const char *alarm, const char *text);
void log_format(enum log_level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
