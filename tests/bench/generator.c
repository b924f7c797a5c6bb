/* generator.c - presses and heartbeats of many devices, with the time each press took to both sinks and to
 * its receipt.
 *
 *     generator latency --count N         one press at a time, each of a fresh device
 *     generator burst --count N --each K  K presses of each device, the next when the broker took the last
 *     generator heartbeats --rate R --seconds S --press-rate Q --count N
 *                                         heartbeats of all devices in turn; beside them
 *                                         presses, N at most, each of a fresh device
 *
 * All need --port P (the broker's), --table FILE and --sites S (device d stands in site d % S); they may have
 * --connections C (1000), --first D (0), --receipts (are awaited, too) and --warm-up W (0): so many presses
 * of devices from D on come first, one at a time and not counted; the measured devices follow them.
 *
 * Prints one JSON object; a press's time is from right before its write until both sinks had it, null when
 * one never had. */
#include "fleet.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000u
#define WHOLE_RUN_S 240 /* ends by itself, whatever happens */
#define WARM_UP_S 60
#define PRESS_WAIT_S 5         /* latency: a press that takes longer is lost */
#define PRESS_REPEAT_MS 500    /* warm-up: until everybody is there */
#define PRESSES_GIVEN_UP 10    /* latency: so many in a row lost, and the rest is not tried */
#define GAP_US 1000            /* latency: between a press's arrival and the next press */
#define QUIET_S 10             /* burst: nothing new for so long, and what is missing is lost */
#define LATECOMERS_MS 1000     /* at the end: doubles show themselves */
#define HEARTBEATS_AT_ONCE 200 /* then the answers are read */

struct generator {
    const char *mode;
    uint32_t port, sites, connections, first, count, each, warm_up, rate, seconds, press_rate;
    bool receipts;
    struct table *table;
    struct fleet *fleet;
    uint32_t *pressed; /* burst: how often each connection has */
    uint32_t presses;  /* made, without warm-up */
    uint64_t heartbeats, heartbeat_ns;
};

static uint32_t row_of(const struct generator *g, uint32_t press)
{
    uint32_t device = g->first + press % g->count, n = press / g->count;
    return n * g->table->devices + device;
}

static void press(struct generator *g, uint32_t number)
{
    fleet_press(g->fleet, g->first + number % g->count, number / g->count);
    g->presses++;
}

static bool await_press(struct generator *g, uint32_t row, uint64_t wait_ms)
{
    uint64_t until = table_now_ns() + wait_ms * 1000000;
    while (!table_seen_by_all(g->table, row) && table_now_ns() < until)
        fleet_pump(g->fleet, 1);
    return table_seen_by_all(g->table, row);
}

/* As a button does: the press is repeated until it is through. The first one waits for everybody to be there.
 */
static void warm_up(struct generator *g)
{
    uint64_t until = table_now_ns() + WARM_UP_S * (uint64_t)SECOND_NS;
    for (uint32_t i = 0; i < g->warm_up; i++) {
        do {
            errno = ETIMEDOUT;
            if (table_now_ns() > until)
                bench_fail("a warm-up press never came through");
            fleet_press(g->fleet, g->first, 0);
        } while (!await_press(g, g->first, PRESS_REPEAT_MS));
        g->first++;
    }
}

static void run_latency(struct generator *g)
{
    unsigned lost = 0;
    for (uint32_t i = 0; i < g->count && lost < PRESSES_GIVEN_UP; i++) {
        press(g, i);
        lost = await_press(g, row_of(g, i), PRESS_WAIT_S * 1000) ? 0 : lost + 1;
        nanosleep(&(struct timespec){.tv_nsec = GAP_US * 1000}, NULL);
    }
}

/* Each connection has one device of the burst; its next press goes out when the broker has taken the one
 * before. */
static void burst_next(void *ctx, unsigned connection)
{
    struct generator *g = ctx;
    uint32_t device = (connection + g->connections - g->first % g->connections) % g->connections;
    if (!g->pressed || device >= g->count || g->pressed[device] == g->each)
        return;
    press(g, g->pressed[device]++ * g->count + device);
}

/* Until all is there, or nothing new has come for a while. */
static void settle(struct generator *g, uint64_t seen_before, uint64_t receipts_before, unsigned quiet_s)
{
    uint64_t all = g->presses * (uint64_t)(TABLE_SINKS + (g->receipts ? 1 : 0)), had = 0,
             since_ns = table_now_ns();
    for (;;) {
        uint64_t have = 0, now_ns = table_now_ns();
        for (unsigned k = 0; k < TABLE_SINKS; k++)
            have += atomic_load(&g->table->seen[k]);
        have -= seen_before;
        if (g->receipts)
            have += fleet_receipts(g->fleet) - receipts_before;
        if (have > had)
            since_ns = now_ns;
        had = have;
        if (have >= all || now_ns - since_ns > quiet_s * (uint64_t)SECOND_NS)
            return;
        fleet_pump(g->fleet, 2);
    }
}

static void run_burst(struct generator *g)
{
    uint64_t pubacks = fleet_pubacks(g->fleet), wanted = pubacks + (uint64_t)g->count * g->each;
    uint64_t last = pubacks, since_ns = table_now_ns();
    g->pressed = calloc(g->count, sizeof *g->pressed);
    if (!g->pressed)
        bench_fail("memory");
    for (uint32_t i = 0; i < g->count; i++) {
        burst_next(g, (g->first + i) % g->connections);
        if (i % 64 == 63)
            fleet_pump(g->fleet, 0);
    }
    while ((pubacks = fleet_pubacks(g->fleet)) < wanted &&
           table_now_ns() - since_ns < QUIET_S * (uint64_t)SECOND_NS) {
        if (pubacks != last)
            since_ns = table_now_ns();
        last = pubacks;
        fleet_pump(g->fleet, 2);
    }
}

static void run_heartbeats(struct generator *g)
{
    uint64_t start_ns = table_now_ns(), now_ns;
    while ((now_ns = table_now_ns()) - start_ns < g->seconds * (uint64_t)SECOND_NS) {
        double seconds = (double)(now_ns - start_ns) / SECOND_NS;
        uint64_t due = (uint64_t)(seconds * g->rate), presses_due = (uint64_t)(seconds * g->press_rate);
        while (g->presses < presses_due && g->presses < g->count)
            press(g, g->presses);
        for (unsigned i = 0; g->heartbeats < due && i < HEARTBEATS_AT_ONCE; i++)
            fleet_heartbeat(g->fleet, (uint32_t)(g->heartbeats++ % g->table->devices));
        fleet_pump(g->fleet, g->heartbeats < due ? 0 : 1);
    }
    g->heartbeat_ns = now_ns - start_ns;
}

static const struct {
    const char *name;
    void (*run)(struct generator *);
    unsigned quiet_s;
} modes[] = {
    {"latency", run_latency, 1}, {"burst", run_burst, QUIET_S}, {"heartbeats", run_heartbeats, PRESS_WAIT_S}};

/* [12,null,…]: microseconds from the press until `stamp_ns`, of each press. */
static void print_times(const struct generator *g, const char *name,
                        uint64_t (*stamp_ns)(const struct generator *, uint32_t))
{
    printf("\"%s\":[", name);
    for (uint32_t i = 0; i < g->presses; i++) {
        uint32_t row = row_of(g, i);
        uint64_t at_ns = stamp_ns(g, row);
        if (at_ns)
            printf("%s%.1f", i ? "," : "", (double)(at_ns - g->table->row[row].sent_ns) / 1e3);
        else
            printf("%snull", i ? "," : "");
    }
    printf("],");
}

static uint64_t seen_by_all_ns(const struct generator *g, uint32_t row)
{
    uint64_t last = 0;
    for (unsigned k = 0; k < TABLE_SINKS; k++) {
        uint64_t at_ns = atomic_load(&g->table->row[row].seen_ns[k]);
        if (at_ns == 0)
            return 0;
        last = at_ns > last ? at_ns : last;
    }
    return last;
}

static uint64_t receipt_ns(const struct generator *g, uint32_t row)
{
    return fleet_receipt_ns(g->fleet, row);
}

/* From the first press to the last moment of all presses; 0 when something is missing. */
static double whole_seconds(const struct generator *g)
{
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    for (uint32_t i = 0; i < g->presses; i++) {
        uint32_t row = row_of(g, i);
        uint64_t seen = seen_by_all_ns(g, row), receipt = g->receipts ? receipt_ns(g, row) : seen;
        if (!seen || !receipt)
            return 0;
        first_ns = g->table->row[row].sent_ns < first_ns ? g->table->row[row].sent_ns : first_ns;
        last_ns = seen > last_ns ? seen : last_ns;
        last_ns = receipt > last_ns ? receipt : last_ns;
    }
    return g->presses ? (double)(last_ns - first_ns) / SECOND_NS : 0;
}

static void print_result(const struct generator *g)
{
    printf("{\"mode\":\"%s\",\"presses\":%u,\"next\":%u,", g->mode, g->presses, g->first + g->count);
    print_times(g, "both_us", seen_by_all_ns);
    print_times(g, "receipt_us", receipt_ns);
    printf("\"seconds\":%.4f,\"heartbeats\":%" PRIu64 ",\"heartbeat_seconds\":%.4f}\n", whole_seconds(g),
           g->heartbeats, (double)g->heartbeat_ns / SECOND_NS);
}

static void read_options(struct generator *g, int argc, char **argv)
{
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {{"port", &g->port},
                   {"sites", &g->sites},
                   {"connections", &g->connections},
                   {"first", &g->first},
                   {"count", &g->count},
                   {"each", &g->each},
                   {"warm-up", &g->warm_up},
                   {"rate", &g->rate},
                   {"seconds", &g->seconds},
                   {"press-rate", &g->press_rate}};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    struct option options[NUMBERS + 3] = {{"table", required_argument, NULL, 't'},
                                          {"receipts", no_argument, NULL, 'r'}};
    int option, which;
    for (int i = 0; i < NUMBERS; i++)
        options[2 + i] = (struct option){numbers[i].name, required_argument, NULL, '#'};
    while ((option = getopt_long(argc, argv, "", options, &which)) != -1) {
        if (option == 't')
            g->table = table_open(optarg);
        else if (option == 'r')
            g->receipts = true;
        else if (option == '#')
            *numbers[which - 2].value = (uint32_t)strtoul(optarg, NULL, 10);
        else
            exit(2);
    }
    g->mode = optind < argc ? argv[optind] : "";
    errno = EINVAL;
    if (!g->table || !g->port || !g->sites || !g->connections || !g->count || !g->each ||
        (uint64_t)(g->each - 1) * g->table->devices + g->first + g->warm_up + g->count > g->table->rows)
        bench_fail(
            "generator: --port, --table, --sites, --count are needed, and a table that is large enough");
}

int main(int argc, char **argv)
{
    struct generator g = {.connections = 1000, .each = 1};
    struct rlimit files;
    unsigned mode = 0;
    read_options(&g, argc, argv);
    while (mode < sizeof modes / sizeof *modes && strcmp(modes[mode].name, g.mode) != 0)
        mode++;
    errno = EINVAL;
    if (mode == sizeof modes / sizeof *modes)
        bench_fail("generator: latency, burst or heartbeats");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    alarm(WHOLE_RUN_S);
    g.fleet = fleet_open(&(struct fleet_options){.port = (int)g.port,
                                                 .connections = g.connections,
                                                 .sites = g.sites,
                                                 .table = g.table,
                                                 .on_puback = burst_next,
                                                 .ctx = &g});
    warm_up(&g);
    uint64_t seen = 0, receipts = fleet_receipts(g.fleet), until;
    for (unsigned k = 0; k < TABLE_SINKS; k++)
        seen += atomic_load(&g.table->seen[k]);
    modes[mode].run(&g);
    settle(&g, seen, receipts, modes[mode].quiet_s);
    for (until = table_now_ns() + LATECOMERS_MS * 1000000u; table_now_ns() < until;)
        fleet_pump(g.fleet, 10);
    print_result(&g);
    fleet_close(g.fleet);
    free(g.pressed);
    return 0;
}
