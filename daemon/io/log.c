#include "io/log.h"
#include "core/names.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static enum log_level threshold = LOG_LEVEL_INFO;
static unsigned long dropped;

const char *log_level_str(enum log_level);
NAMES_DEFINE(log_level, enum log_level, level_names, LOG_LEVEL_COUNT)

void log_set_level(enum log_level level)
{
    threshold = level;
}

static bool writable(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && out.revents & POLLOUT;
}

void log_line(enum log_level level, const char *alarm, const char *text)
{
    char line[1024];
    if (level > threshold)
        return;
    if (!writable()) {
        dropped++;
        return;
    }
    int size = 0;
    if (dropped > 0) {
        size = snprintf(line, sizeof line, "level=warning text=\"%lu lines of the log were dropped\"\n", dropped);
        dropped = 0;
    }
    size += snprintf(line + size, sizeof line - (size_t)size, "level=%s %s%s%stext=\"", level_names[level],
                     alarm[0] ? "alarm=" : "", alarm, alarm[0] ? " " : "");
    for (const char *c = text; *c && size < (int)sizeof line - 3; c++)
        line[size++] = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c == '"' ? '\'' : *c;
    line[size++] = '"';
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)size) < 0)
        dropped++;
}

void log_format(enum log_level level, const char *format, ...)
{
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_line(level, "", text);
}
