/* input.h - what a person does: keys, command lines, or a GPIO line. */
#ifndef TOCSIN_BUTTON_INPUT_H
#define TOCSIN_BUTTON_INPUT_H

#include "options.h"

enum input_type { INPUT_NONE, INPUT_PRESS, INPUT_BATTERY, INPUT_QUIT, INPUT_END, INPUT_UNKNOWN };

struct input_event {
    enum input_type type;
    enum button_mode mode;
    char kind[BUTTON_KIND]; /* "" = the program's default */
    int battery;
};

/* Standard input; a terminal is put into single-key mode until input_close(). */
void input_open(const struct button_program_options *);
int input_fd(void);                  /* -1 = nothing more to read */
struct input_event input_next(void); /* INPUT_NONE: no more for now */
void input_close(void);

/* gpio.c or gpio_none.c */
bool gpio_open(const char *chip_and_line, bool active_high); /* false: said why on standard error */
int gpio_fd(void);                                           /* -1 = not open */
bool gpio_pressed(void);                                     /* reads what is there; true: a press */
void gpio_close(void);

#endif
