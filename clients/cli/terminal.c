#include "cli/terminal.h"
#include "cli/command.h"
#include "cli/texts.h"
#include "codec/text.h"
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define LINE_BYTES 16384 /* bytes of one line on the terminal; a longer one is cut */

static struct {
    FILE *redirected;
    bool colors, to_terminal, utc, progress_shown;
    int write_error; /* of errno: why standard output does not take it */
    long long progress_ms;
} terminal;

void terminal_init(bool utc)
{
    /* Only widths and character classes; sentences are ours. */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    terminal.to_terminal = isatty(STDOUT_FILENO);
    terminal.colors = terminal.to_terminal && !getenv("NO_COLOR");
    terminal.utc = utc;
}

/* The code point of the character of `size` bytes at `text`, which text_char_size() has found good. */
static uint32_t code_point(const char *text, size_t size)
{
    uint32_t code = size == 1 ? (unsigned char)text[0] : (unsigned char)text[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3Fu);
    return code;
}

char *terminal_safe_json(const char *json, size_t size)
{
    char *out = malloc(size * 6 + 1); /* a byte that is no UTF-8 becomes \ufffd */
    size_t used = 0;
    for (size_t i = 0; out && i < size;) {
        char shown[8];
        size_t length = text_char_size(json + i, size - i);
        text_clean(shown, sizeof shown, json + i, length);
        if (length == 0) {
            used += (size_t)sprintf(out + used, "\\ufffd");
        } else if (*shown || json[i] == '\n') {
            memcpy(out + used, json + i, length);
            used += length;
        } else if (json[i] == '\t' || json[i] == '\r') { /* between two tokens: a string has them escaped */
            out[used++] = ' ';
        } else { /* all of them are in the first plane */
            used += (size_t)sprintf(out + used, "\\u%04x", code_point(json + i, length) & 0xFFFF);
        }
        i += length ? length : 1;
    }
    if (out)
        out[used] = '\0';
    return out;
}

int terminal_columns(const char *text)
{
    int columns = 0;
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        size_t length = text_char_size(text + i, size - i);
        int width = length ? wcwidth((wchar_t)code_point(text + i, length)) : 1;
        columns += width < 0 ? 1 : width;
        i += length ? length : 1;
    }
    return columns;
}

static FILE *output(void)
{
    return terminal.redirected ? terminal.redirected : stdout;
}

static void put(enum tone tone, const char *text)
{
    static const char *const colors[TONE_COUNT] = {
        [TONE_PLAIN] = "",        [TONE_STRONG] = "\x1b[1m", [TONE_ALARM] = "\x1b[1;31m",
        [TONE_GOOD] = "\x1b[32m", [TONE_BAD] = "\x1b[33m",   [TONE_QUIET] = "\x1b[2m"};
    char safe[LINE_BYTES];
    text_clean(safe, sizeof safe, text, strlen(text));
    bool colored = terminal.colors && !terminal.redirected && *colors[tone];
    fprintf(output(), "%s%s%s", colored ? colors[tone] : "", safe, colored ? "\x1b[0m" : "");
}

void say_text(enum tone tone, const char *line)
{
    terminal_progress_end();
    put(tone, line);
    fputc('\n', output());
}

void say(enum tone tone, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    say_text(tone, line);
}

void say_pair(enum tone first_tone, const char *first, enum tone second_tone, const char *second)
{
    terminal_progress_end();
    put(first_tone, first);
    put(second_tone, second);
    fputc('\n', output());
}

void say_json(const char *json, size_t size)
{
    char *safe = terminal.to_terminal && !terminal.redirected ? terminal_safe_json(json, size) : NULL;
    if (safe)
        fputs(safe, output());
    else
        fwrite(json, 1, size, output());
    fputc('\n', output());
    free(safe);
}

static void to_standard_error(const char *before, const char *format, va_list list)
{
    char line[LINE_BYTES], safe[LINE_BYTES];
    terminal_progress_end();
    (void)terminal_flush();
    vsnprintf(line, sizeof line, format, list);
    text_clean(safe, sizeof safe, line, strlen(line));
    fprintf(stderr, "%s%s\n", before, safe);
}

void complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    to_standard_error("tocsin: ", format, list);
    va_end(list);
}

void remark(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    to_standard_error("", format, list);
    va_end(list);
}

void complain_filled(enum text which, const struct text_value *values)
{
    char line[LINE_BYTES];
    text_fill(line, sizeof line, text(which), values);
    complain("%s", line);
}

void remark_filled(enum text which, const struct text_value *values)
{
    char line[LINE_BYTES];
    text_fill(line, sizeof line, text(which), values);
    remark("%s", line);
}

void say_filled(enum tone tone, enum text which, const struct text_value *values)
{
    char line[LINE_BYTES];
    text_fill(line, sizeof line, text(which), values);
    say_text(tone, line);
}

void terminal_progress(const char *what, uint64_t done, uint64_t total)
{
    if (!isatty(STDERR_FILENO))
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    if (now_ms - terminal.progress_ms < 200)
        return;
    terminal.progress_ms = now_ms;
    terminal.progress_shown = true;
    if (total > 0)
        fprintf(stderr, "\r\x1b[K%s %llu / %llu (%llu %%)", what, (unsigned long long)done,
                (unsigned long long)total, (unsigned long long)(done * 100 / total));
    else
        fprintf(stderr, "\r\x1b[K%s %llu", what, (unsigned long long)done);
    fflush(stderr);
}

void terminal_progress_end(void)
{
    if (terminal.progress_shown)
        fprintf(stderr, "\r\x1b[K");
    terminal.progress_shown = false;
}

static void moment(char out[TERMINAL_TIME], int64_t at_ms, bool date, bool clock)
{
    int64_t second = at_ms / 1000, rest = at_ms % 1000;
    if (rest < 0) {
        rest += 1000;
        second--;
    }
    time_t at = (time_t)second;
    struct tm parts;
    if (!(terminal.utc ? gmtime_r(&at, &parts) : localtime_r(&at, &parts))) {
        snprintf(out, TERMINAL_TIME, "?");
        return;
    }
    size_t used = 0;
    if (date)
        used += strftime(out, TERMINAL_TIME, "%Y-%m-%d", &parts);
    if (clock) {
        used += strftime(out + used, TERMINAL_TIME - used, date ? " %H:%M:%S" : "%H:%M:%S", &parts);
        used += (size_t)snprintf(out + used, TERMINAL_TIME - used, ".%03d", (int)rest);
    }
    long offset = parts.tm_gmtoff / 60, minutes = offset < 0 ? -offset : offset;
    if (date && terminal.utc)
        snprintf(out + used, TERMINAL_TIME - used, " UTC");
    else if (date)
        snprintf(out + used, TERMINAL_TIME - used, " %c%02ld:%02ld", offset < 0 ? '-' : '+',
                 minutes / 60 % 24, minutes % 60);
}

void terminal_time(char out[TERMINAL_TIME], int64_t at_ms)
{
    moment(out, at_ms, true, true);
}

void terminal_clock(char out[TERMINAL_TIME], int64_t at_ms)
{
    moment(out, at_ms, false, true);
}

void terminal_date(char out[TERMINAL_TIME], int64_t at_ms)
{
    moment(out, at_ms, true, false);
}

void terminal_redirect(FILE *file)
{
    terminal.redirected = file;
}

bool terminal_flush(void)
{
    bool good = fflush(stdout) == 0 && !ferror(stdout);
    if (!good && !terminal.write_error)
        terminal.write_error = errno;
    return good;
}

int terminal_finish(int result)
{
    terminal_progress_end();
    if (terminal_flush())
        return result;
    complain_about(TEXT_CANNOT_WRITE, {"why", strerror(terminal.write_error)});
    return result == RESULT_OK ? RESULT_NOT_SO : result;
}
