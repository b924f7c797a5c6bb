#include "input.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
    enum button_mode mode;
    bool terminal, ended, too_long;
    struct termios before;
    char line[256];
    size_t used;
} in;

void input_open(const struct button_program_options *o)
{
    in.mode = o->mode;
    in.terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &in.before) == 0;
    if (in.terminal) {
        struct termios raw = in.before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
}

void input_close(void)
{
    if (in.terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &in.before);
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) & ~O_NONBLOCK);
}

int input_fd(void)
{
    return in.ended ? -1 : STDIN_FILENO;
}

static struct input_event key_event(char key)
{
    switch (key) {
    case ' ':
    case '\n':
    case '\r':
        return (struct input_event){.type = INPUT_PRESS, .mode = in.mode};
    case 't':
        return (struct input_event){.type = INPUT_PRESS, .mode = BUTTON_TEST};
    case 'c':
        return (struct input_event){.type = INPUT_PRESS, .mode = in.mode, .kind = "cancel"};
    case 'q':
    case 4: /* Ctrl-D */
        return (struct input_event){.type = INPUT_QUIT};
    default:
        return (struct input_event){.type = INPUT_UNKNOWN};
    }
}

static struct input_event line_event(char *line)
{
    struct input_event event = {.type = INPUT_PRESS, .mode = in.mode};
    char *rest, *word = strtok_r(line, " \t\r", &rest), *value = word ? strtok_r(NULL, " \t\r", &rest) : NULL;
    if (!word)
        return (struct input_event){.type = INPUT_NONE};
    if (value)
        snprintf(event.kind, sizeof event.kind, "%s", value);
    if (strcmp(word, "press") == 0)
        return event;
    if (strcmp(word, "cancel") == 0)
        strcpy(event.kind, "cancel");
    else if (strcmp(word, "test") == 0)
        event.mode = BUTTON_TEST;
    else if (strcmp(word, "drill") == 0)
        event.mode = BUTTON_DRILL;
    else if (strcmp(word, "battery") == 0)
        event = (struct input_event){.type = INPUT_BATTERY, .battery = value ? atoi(value) : -1};
    else
        event.type = strcmp(word, "quit") == 0 ? INPUT_QUIT : INPUT_UNKNOWN;
    return event;
}

static struct input_event line_of(size_t size)
{
    struct input_event event = {.type = INPUT_UNKNOWN};
    in.line[size] = '\0';
    if (!in.too_long)
        event = line_event(in.line);
    in.too_long = false;
    in.used -= size + 1;
    memmove(in.line, in.line + size + 1, in.used);
    return event;
}

struct input_event input_next(void)
{
    for (;;) {
        char *end = memchr(in.line, '\n', in.used);
        if (end && !in.terminal) {
            struct input_event event = line_of((size_t)(end - in.line));
            if (event.type != INPUT_NONE)
                return event;
            continue;
        }
        if (in.used == sizeof in.line) {
            in.too_long = true;
            in.used = 0;
        }
        if (in.ended)
            return (struct input_event){.type = INPUT_NONE};
        ssize_t n = read(STDIN_FILENO, in.line + in.used, in.terminal ? 1 : sizeof in.line - in.used);
        if (n < 0)
            return (struct input_event){.type = INPUT_NONE};
        if (n == 0) {
            in.ended = true;
            return (struct input_event){.type = INPUT_END};
        }
        if (in.terminal)
            return key_event(in.line[0]);
        in.used += (size_t)n;
    }
}
