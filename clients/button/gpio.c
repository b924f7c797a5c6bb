#include "input.h"
#include <gpiod.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A spark on a long wire is shorter than this; a finger is not. */
#define STEADY_MS 15
/* Contacts bounce; a second press within this is the same one. */
#define QUIET_MS 300

static struct gpiod_chip *chip;
static struct gpiod_line *line;
static long quiet_until_ms;

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool gpio_open(const char *chip_and_line, bool active_high)
{
    char name[64];
    const char *colon = strrchr(chip_and_line, ':');
    char *end = NULL;
    unsigned long offset = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || colon == chip_and_line || !colon[1] || *end ||
        (size_t)(colon - chip_and_line) >= sizeof name) {
        fprintf(stderr, "tocsin-button: --gpio must be CHIP:LINE, like gpiochip0:17, not %s\n",
                chip_and_line);
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)(colon - chip_and_line), chip_and_line);
    struct gpiod_line_request_config config = {
        .consumer = "tocsin-button",
        .request_type = GPIOD_LINE_REQUEST_EVENT_RISING_EDGE, /* of the logical value */
        .flags = active_high ? GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN
                             : GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
    };
    chip = gpiod_chip_open_lookup(name);
    line = chip ? gpiod_chip_get_line(chip, (unsigned)offset) : NULL;
    if (!line || gpiod_line_request(line, &config, 0) != 0) {
        fprintf(stderr, "tocsin-button: --gpio %s: cannot be used: %m\n", chip_and_line);
        gpio_close();
        return false;
    }
    return true;
}

int gpio_fd(void)
{
    return line ? gpiod_line_event_get_fd(line) : -1;
}

bool gpio_pressed(void)
{
    struct gpiod_line_event event;
    if (gpiod_line_event_read(line, &event) != 0 || now_ms() < quiet_until_ms)
        return false;
    usleep(STEADY_MS * 1000);
    if (gpiod_line_get_value(line) != 1)
        return false;
    quiet_until_ms = now_ms() + QUIET_MS;
    return true;
}

void gpio_close(void)
{
    if (chip)
        gpiod_chip_close(chip); /* releases the line, too */
    chip = NULL;
    line = NULL;
}
