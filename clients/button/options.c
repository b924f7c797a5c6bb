#include "options.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "Usage: tocsin-button --broker HOST:PORT --site SITE --device DEVICE [options]\n"
                           "A Tocsin alarm button: keyboard, standard input, or a GPIO line.\n"
                           "\n"
                           "  -b, --broker HOST[:PORT]   the MQTT broker; port 1883, with --ca 8883;\n"
                           "                             an IPv6 address in brackets\n"
                           "  -s, --site SITE            site and device id, as in the daemon's\n"
                           "  -d, --device DEVICE        configuration\n"
                           "  -u, --username NAME        broker account\n"
                           "      --password-file FILE   its password, on the first line\n"
                           "      --client-id ID         default: the account, else SITE/DEVICE\n"
                           "      --ca FILE              TLS: the authority of the broker certificate\n"
                           "      --cert FILE --key FILE TLS: our own certificate and key\n"
                           "      --sign-key FILE        sign each press (key: tocsin keygen device)\n"
                           "      --store FILE           what must survive a power loss is kept here\n"
                           "      --battery PERCENT      what to say about the battery\n"
                           "\n"
                           "  -k, --kind KIND            panic, attack, fire, medical, intrusion; default:\n"
                           "                             what the daemon's configuration says\n"
                           "      --test, --drill        presses are tests, drills\n"
                           "  -1, --once                 press once, tell what becomes of it, end\n"
                           "      --until STAGE          with --once, end at: recorded (or received),\n"
                           "                             delivered, acknowledged, coming, on_scene,\n"
                           "                             closed (default)\n"
                           "      --timeout SECONDS      with --once, give up then\n"
                           "      --gpio CHIP:LINE       a button between this line and ground presses;\n"
                           "                             with --gpio-active-high: between it and plus\n"
                           "      --json                 one JSON object a line\n"
                           "  -h, --help  -V, --version\n"
                           "\n"
                           "Keys: space or enter press, t test, c cancel, q quit.\n"
                           "When standard input is not a terminal, one command a line: press [KIND],\n"
                           "test [KIND], drill [KIND], cancel, battery PERCENT, quit.\n"
                           "\n"
                           "Exit codes: 0 done, 1 fault (no receipt within 100 s, or refused), 2 wrong\n"
                           "usage, 3 --timeout passed, 4 could not start.\n";

enum {
    OPTION_PASSWORD = 256,
    OPTION_CLIENT_ID,
    OPTION_CA,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_SIGN_KEY,
    OPTION_STORE,
    OPTION_BATTERY,
    OPTION_TEST,
    OPTION_DRILL,
    OPTION_UNTIL,
    OPTION_TIMEOUT,
    OPTION_GPIO,
    OPTION_ACTIVE_HIGH,
    OPTION_JSON
};

static const struct option long_options[] = {
    {"broker", required_argument, NULL, 'b'},
    {"site", required_argument, NULL, 's'},
    {"device", required_argument, NULL, 'd'},
    {"username", required_argument, NULL, 'u'},
    {"password-file", required_argument, NULL, OPTION_PASSWORD},
    {"client-id", required_argument, NULL, OPTION_CLIENT_ID},
    {"ca", required_argument, NULL, OPTION_CA},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"sign-key", required_argument, NULL, OPTION_SIGN_KEY},
    {"store", required_argument, NULL, OPTION_STORE},
    {"battery", required_argument, NULL, OPTION_BATTERY},
    {"kind", required_argument, NULL, 'k'},
    {"test", no_argument, NULL, OPTION_TEST},
    {"drill", no_argument, NULL, OPTION_DRILL},
    {"once", no_argument, NULL, '1'},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"gpio", required_argument, NULL, OPTION_GPIO},
    {"gpio-active-high", no_argument, NULL, OPTION_ACTIVE_HIGH},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static int wrong(const char *text, const char *value)
{
    fprintf(stderr, "tocsin-button: %s%s\nTry --help.\n", text, value);
    return 2;
}

static bool number(const char *text, unsigned max, unsigned *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *out = (unsigned)value;
    return text[0] >= '0' && text[0] <= '9' && !*end && value <= max;
}

/* host, host:port, [::1], [::1]:port; ::1 alone might be any of the latter */
static bool read_broker(struct button_program_options *o)
{
    const char *end = o->broker + strlen(o->broker), *host = o->broker, *host_end, *port = NULL;
    if (*host == '[') {
        host_end = strchr(++host, ']');
        if (!host_end || (host_end[1] && host_end[1] != ':'))
            return false;
        port = host_end[1] ? host_end + 2 : NULL;
    } else {
        const char *colon = strrchr(host, ':');
        if (colon != strchr(host, ':'))
            return false;
        host_end = colon ? colon : end;
        port = colon ? colon + 1 : NULL;
    }
    if (host_end == host || (size_t)(host_end - host) >= sizeof o->host)
        return false;
    memcpy(o->host, host, (size_t)(host_end - host));
    o->port = o->ca_file ? 8883 : 1883;
    return !port || (number(port, 65535, &o->port) && o->port > 0);
}

static bool is_name(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t size = strlen(text);
    return size > 0 && size < BUTTON_NAME && strspn(text, allowed) == size;
}

static bool read_until(struct button_program_options *o, const char *text)
{
    if (strcmp(text, "received") == 0)
        text = "recorded";
    for (o->until = BUTTON_STAGE_RECORDED; o->until < BUTTON_STAGE_REFUSED; o->until++)
        if (strcmp(text, button_stage_str(o->until)) == 0)
            return true;
    return false;
}

static bool is_kind(const char *text)
{
    static const char *const kinds[] = {"", "panic", "attack", "fire", "medical", "intrusion", "generic", "cancel"};
    size_t i = 0;
    while (i < sizeof kinds / sizeof *kinds && strcmp(text, kinds[i]) != 0)
        i++;
    return i < sizeof kinds / sizeof *kinds;
}

static int check(struct button_program_options *o)
{
    if (!o->broker || !o->site || !o->device)
        return wrong("--broker, --site and --device must be given", "");
    if (!read_broker(o))
        return wrong("--broker must be HOST or HOST:PORT, an IPv6 address in brackets, not ", o->broker);
    if (!is_name(o->site) || !is_name(o->device))
        return wrong(
            "--site and --device: 1 to 47 characters of [A-Za-z0-9_.-], as in the daemon's configuration",
            "");
    if (!is_kind(o->kind))
        return wrong("--kind must be panic, attack, fire, medical or intrusion, not ", o->kind);
    if ((o->certificate_file || o->key_file) && !(o->ca_file && o->certificate_file && o->key_file))
        return wrong("--cert and --key go together, and with --ca", "");
    return -1;
}

/* The options whose value is kept as it is. */
static const struct {
    int option;
    size_t member;
} texts[] = {
    {'b', offsetof(struct button_program_options, broker)},
    {'s', offsetof(struct button_program_options, site)},
    {'d', offsetof(struct button_program_options, device)},
    {'u', offsetof(struct button_program_options, username)},
    {'k', offsetof(struct button_program_options, kind)},
    {OPTION_PASSWORD, offsetof(struct button_program_options, password_file)},
    {OPTION_CLIENT_ID, offsetof(struct button_program_options, client_id)},
    {OPTION_CA, offsetof(struct button_program_options, ca_file)},
    {OPTION_CERT, offsetof(struct button_program_options, certificate_file)},
    {OPTION_KEY, offsetof(struct button_program_options, key_file)},
    {OPTION_SIGN_KEY, offsetof(struct button_program_options, sign_key_file)},
    {OPTION_STORE, offsetof(struct button_program_options, store_file)},
    {OPTION_GPIO, offsetof(struct button_program_options, gpio)},
};

/* The options that are there or not. */
static const struct {
    int option;
    size_t member;
} flags[] = {
    {'1', offsetof(struct button_program_options, once)},
    {OPTION_JSON, offsetof(struct button_program_options, json)},
    {OPTION_ACTIVE_HIGH, offsetof(struct button_program_options, gpio_active_high)},
};

static int set_text(struct button_program_options *o, size_t member, const char *value)
{
    *(const char **)((char *)o + member) = value;
    return -1;
}

static int set_flag(struct button_program_options *o, size_t member)
{
    *(bool *)((char *)o + member) = true;
    return -1;
}

/* One option; the exit code of a wrong one, -1 = good. */
static int take(struct button_program_options *o, int option, const char *value)
{
    unsigned battery;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].option == option)
            return set_text(o, texts[i].member, value);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].option == option)
            return set_flag(o, flags[i].member);
    switch (option) {
    case OPTION_TEST:
        o->mode = BUTTON_TEST;
        return -1;
    case OPTION_DRILL:
        o->mode = BUTTON_DRILL;
        return -1;
    case OPTION_BATTERY:
        if (!number(value, 100, &battery))
            return wrong("--battery must be 0 to 100, not ", value);
        o->battery = (int)battery;
        return -1;
    case OPTION_UNTIL:
        return read_until(o, value) ? -1 : wrong("--until does not know ", value);
    case OPTION_TIMEOUT:
        return number(value, 86400, &o->timeout_s)
                   ? -1
                   : wrong("--timeout must be 0 to 86400 seconds, not ", value);
    case 'V':
        puts("tocsin-button " TOCSIN_VERSION);
        return 0;
    case 'h':
        fputs(help, stdout);
        return 0;
    default:
        return wrong("wrong usage", "");
    }
}

int options_read(struct button_program_options *o, int argc, char **argv)
{
    *o = (struct button_program_options){.kind = "", .battery = -1, .until = BUTTON_STAGE_CLOSED};
    for (int option; (option = getopt_long(argc, argv, "b:s:d:u:k:1hV", long_options, NULL)) != -1;) {
        int code = take(o, option, optarg);
        if (code >= 0)
            return code;
    }
    if (optind < argc)
        return wrong("does not know ", argv[optind]);
    return check(o);
}
