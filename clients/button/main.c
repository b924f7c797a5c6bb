/* tocsin-button: an alarm button on Linux. The library decides; here are its clock, its network, its file,
 * its keys. */
#include "broker_link.h"
#include "button_file.h"
#include "button_sodium.h"
#include "input.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE, EXIT_FAULT, EXIT_USAGE, EXIT_TIMEOUT, EXIT_NO_START };

#define LINGER_MS 300 /* for the goodbye */
#define ONCE_WAIT_MS                                                                                         \
    2000 /* --once presses when the broker is there, as a button on a wall is; but not later than this */

static struct {
    struct button_program_options options;
    struct button button;
    struct button_file file;
    struct button_key key;
    struct link *link;
    double pressed_ms; /* wall clock of the last press; 0 = none */
    uint64_t once_n;   /* 0 = not pressed yet */
    bool link_up;
    bool pressing; /* a change within a press is told after the press */
    int exit_code; /* -1 = go on */
} app = {.exit_code = -1};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static double wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static int64_t on_wall_ms(void *ctx)
{
    (void)ctx;
    return (int64_t)wall_ms();
}

/* A line: its time, then either the words, or the JSON members. */
static void say(const char *event, const char *members, const char *words)
{
    double at_ms = wall_ms();
    if (app.options.json) {
        printf("{\"event\":\"%s\",\"at_ms\":%.3f%s%s}\n", event, at_ms, members[0] ? "," : "", members);
    } else {
        char clock[16], since[24] = "";
        time_t seconds = (time_t)(at_ms / 1000);
        struct tm local;
        strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&seconds, &local));
        if (app.pressed_ms > 0)
            snprintf(since, sizeof since, "%+9.3f s", (at_ms - app.pressed_ms) / 1000);
        printf("%s.%03u %11s  %s\n", clock, (unsigned)((int64_t)at_ms % 1000), since, words);
    }
    fflush(stdout);
}

/* Texts of libraries and of others, for a JSON string. */
static const char *quoted(const char *text, char out[512])
{
    size_t used = 0;
    for (; *text && used < 500; text++) {
        if (*text == '"' || *text == '\\')
            out[used++] = '\\';
        out[used++] = (unsigned char)*text < 32 ? ' ' : *text;
    }
    out[used] = '\0';
    return out;
}

static bool on_publish(void *ctx, const char *topic, const void *payload, size_t size, int qos)
{
    (void)ctx;
    return link_publish(app.link, topic, payload, size, qos);
}

static bool on_save(void *ctx, const void *bytes, size_t size)
{
    (void)ctx;
    return button_file_save(&app.file, bytes, size);
}

static bool on_load(void *ctx, void *bytes, size_t max, size_t *size)
{
    (void)ctx;
    return button_file_load(&app.file, bytes, max, size);
}

/* Asked to keep nothing: then the lack of it is no fault. Each start has an epoch of its own. */
static bool on_save_nowhere(void *ctx, const void *bytes, size_t size)
{
    (void)ctx;
    (void)bytes;
    (void)size;
    return true;
}

static bool on_hmac(void *ctx, const void *bytes, size_t size, unsigned char out[32])
{
    (void)ctx;
    return button_hmac(&app.key, bytes, size, out);
}

static void on_change(void *ctx, enum button_state state, unsigned faults)
{
    (void)ctx;
    if (app.pressing)
        return;
    char members[512], words[512], list[400] = "";
    int used = snprintf(words, sizeof words, "state     %s", button_state_str(state));
    for (unsigned fault = 1; fault <= BUTTON_FAULT_STORAGE; fault <<= 1) {
        if (!(faults & fault))
            continue;
        const char *text = button_fault_str((enum button_fault)fault);
        used += snprintf(words + used, sizeof words - (size_t)used, "; %s", text);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s\"%s\"", list[0] ? "," : "", text);
    }
    snprintf(members, sizeof members, "\"state\":\"%s\",\"faults\":[%s]", button_state_str(state), list);
    say("state", members, words);
    if (app.once_n && faults & (BUTTON_FAULT_UNANSWERED | BUTTON_FAULT_REFUSED))
        app.exit_code = EXIT_FAULT;
}

static void on_receipt(void *ctx, const struct button_receipt *r, bool ours)
{
    (void)ctx;
    char members[256], words[256];
    snprintf(members, sizeof members,
             "\"epoch\":\"%s\",\"n\":%llu,\"stage\":\"%s\",\"alarm\":\"%s\",\"ours\":%s", r->epoch,
             (unsigned long long)r->n, button_stage_str(r->stage), r->alarm, ours ? "true" : "false");
    snprintf(words, sizeof words, "receipt   %-12s press %s-%llu%s%s%s", button_stage_str(r->stage), r->epoch,
             (unsigned long long)r->n, r->alarm[0] ? ", alarm " : "", r->alarm, ours ? "" : " (not ours)");
    say("receipt", members, words);
    if (ours && app.once_n && r->n >= app.once_n && r->stage >= app.options.until)
        app.exit_code = r->stage == BUTTON_STAGE_REFUSED ? EXIT_FAULT : EXIT_DONE;
}

static uint64_t press(const char *kind, enum button_mode mode)
{
    static const char *const modes[BUTTON_MODE_COUNT] = {"real", "drill", "test"};
    char members[768], words[256], text[512];
    double at_ms = wall_ms();
    enum button_state before = button_state(&app.button);
    app.pressed_ms = at_ms;
    app.pressing = true;
    uint64_t n = button_press(&app.button, kind, mode, now_ms());
    app.pressing = false;
    snprintf(members, sizeof members,
             "\"epoch\":\"%s\",\"n\":%llu,\"kind\":\"%s\",\"mode\":\"%s\",\"pressed_ms\":%.3f",
             app.button.epoch, (unsigned long long)n, quoted(kind, text), modes[mode], at_ms);
    snprintf(words, sizeof words, "pressed   %-12s press %s-%llu, %s", kind[0] ? kind : "(default)",
             app.button.epoch, (unsigned long long)n, modes[mode]);
    say(n ? "pressed" : "not_pressed", members, n ? words : "not taken: too many presses without receipt");
    if (button_state(&app.button) != before)
        on_change(NULL, button_state(&app.button), button_faults(&app.button));
    return n;
}

static void on_link_event(const struct link_event *event)
{
    char members[600], words[600], text[512];
    if (event->type == LINK_EVENT_RECEIPT || event->type == LINK_EVENT_SITE) {
        (event->type == LINK_EVENT_RECEIPT ? button_receive : button_receive_site)(&app.button, event->bytes, event->size,
                                                                                   now_ms());
        return;
    }
    bool up = event->type == LINK_EVENT_UP;
    snprintf(members, sizeof members, "\"up\":%s,\"text\":\"%s\"", up ? "true" : "false",
             quoted(event->bytes, text));
    snprintf(words, sizeof words, "broker    %s%s%.400s", up ? "connected" : "not connected",
             event->size ? ": " : "", event->bytes);
    say("link", members, words);
    app.link_up = up;
    button_link(&app.button, up, now_ms());
}

static void on_input(const struct input_event *event)
{
    switch (event->type) {
    case INPUT_PRESS:
        press(event->kind[0] ? event->kind : app.options.kind, event->mode);
        break;
    case INPUT_BATTERY:
        button_battery(&app.button, event->battery >= 0 && event->battery <= 100 ? event->battery : -1);
        break;
    case INPUT_QUIT:
        app.exit_code = EXIT_DONE;
        break;
    case INPUT_UNKNOWN:
        say("unknown_command", "",
            isatty(STDIN_FILENO) ? "keys: space press, t test, c cancel, q quit"
                                 : "commands: press, test, drill [KIND], cancel, battery PERCENT, quit");
        break;
    case INPUT_NONE:
    case INPUT_END:
        break;
    }
}

static bool start(void)
{
    struct button_program_options *o = &app.options;
    char receipt[BUTTON_TOPIC], site[BUTTON_TOPIC], offline[BUTTON_TOPIC];
    app.file.path = o->store_file;
    if (sodium_init() < 0)
        return false;
    if (o->sign_key_file && !button_key_read(&app.key, o->sign_key_file)) {
        fprintf(stderr, "tocsin-button: %s: must hold a key of 32 bytes in base64 (`tocsin keygen device`)\n",
                o->sign_key_file);
        return false;
    }
    struct button_options options = {
        .site = o->site,
        .device = o->device,
        .publish = on_publish,
        .random = button_random,
        .wall_ms = on_wall_ms,
        .save = o->store_file ? on_save : on_save_nowhere,
        .load = o->store_file ? on_load : NULL,
        .hmac = o->sign_key_file ? on_hmac : NULL,
        .on_change = on_change,
        .on_receipt = on_receipt,
    };
    button_init(&app.button, &options, now_ms());
    button_battery(&app.button, o->battery);
    button_topic(&app.button, "receipt", receipt);
    button_site_topic(&app.button, site);
    button_topic(&app.button, "offline", offline);
    app.link = link_open(o, receipt, site, offline);
    return app.link && (!o->gpio || gpio_open(o->gpio, o->gpio_active_high));
}

static void read_all(const struct pollfd *ready)
{
    struct link_event event;
    struct input_event input;
    if (ready[1].revents)
        while (app.exit_code < 0 && (input = input_next()).type != INPUT_NONE)
            on_input(&input);
    if (ready[2].revents && gpio_pressed())
        press(app.options.kind, app.options.mode);
    while (app.exit_code < 0 && link_next(app.link, &event))
        on_link_event(&event);
}

static void earlier(uint64_t *wait_ms, uint64_t other_ms)
{
    if (other_ms < *wait_ms)
        *wait_ms = other_ms;
}

static void press_once(uint64_t now, uint64_t start_ms, uint64_t *wait_ms)
{
    if (!app.options.once || app.once_n)
        return;
    if (app.link_up || now - start_ms >= ONCE_WAIT_MS)
        app.once_n = press(app.options.kind, app.options.mode);
    else
        earlier(wait_ms, start_ms + ONCE_WAIT_MS - now);
}

static int run(void)
{
    uint64_t start_ms = now_ms(),
             end_ms = app.options.timeout_s ? start_ms + app.options.timeout_s * 1000ull : UINT64_MAX;
    while (app.exit_code < 0 && !ended) {
        uint64_t now = now_ms(), wait_ms = link_tick(app.link, now);
        if (now >= end_ms)
            return EXIT_TIMEOUT;
        press_once(now, start_ms, &wait_ms);
        earlier(&wait_ms, button_tick(&app.button, now_ms())); /* not before what has just happened */
        earlier(&wait_ms, end_ms - now);
        struct pollfd fds[] = {{link_fd(app.link), POLLIN, 0},
                               {app.options.once ? -1 : input_fd(), POLLIN, 0},
                               {gpio_fd(), POLLIN, 0}};
        poll(fds, 3, (int)wait_ms);
        read_all(fds);
        /* A script that has said all it wanted: end when every press has its receipt. */
        if (!app.options.once && !app.options.gpio && input_fd() < 0 && button_waiting(&app.button) == 0)
            app.exit_code = EXIT_DONE;
    }
    return app.exit_code < 0 ? EXIT_DONE : app.exit_code;
}

/* Descriptors 0 to 2 exist: otherwise what is printed would go to whatever has their numbers, such as the broker. */
static void settle_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    settle_descriptors();
    int code = options_read(&app.options, argc, argv);
    if (code >= 0)
        return code;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!start())
        return EXIT_NO_START;
    if (!app.options.once)
        input_open(&app.options);
    code = run();
    if (!app.options.once)
        input_close();
    link_close(app.link, LINGER_MS);
    gpio_close();
    return code;
}
