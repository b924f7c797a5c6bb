/* options.h - the command line of tocsin-button. */
#ifndef TOCSIN_BUTTON_OPTIONS_H
#define TOCSIN_BUTTON_OPTIONS_H

#include "tocsin_button.h"

struct button_program_options {
    const char *broker; /* host:port as given */
    char host[128];
    unsigned port;
    const char *site, *device;
    const char *client_id, *username, *password_file;
    const char *ca_file, *certificate_file, *key_file;
    const char *sign_key_file, *store_file;
    const char *kind;
    enum button_mode mode;
    const char *gpio; /* CHIP:LINE, e.g. gpiochip0:17 */
    bool gpio_active_high;
    bool once, json;
    enum button_stage until;
    unsigned timeout_s; /* 0 = none */
    int battery;        /* -1 = unknown */
};

/* The exit code when the program should end now, -1 = go on. */
int options_read(struct button_program_options *, int argc, char **argv);

#endif
