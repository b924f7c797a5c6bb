#include "input.h"
#include <stdio.h>

bool gpio_open(const char *chip_and_line, bool active_high)
{
    (void)active_high;
    fprintf(stderr, "tocsin-button: --gpio %s: this program was built without libgpiod\n", chip_and_line);
    return false;
}

int gpio_fd(void)
{
    return -1;
}

bool gpio_pressed(void)
{
    return false;
}

void gpio_close(void)
{
}
