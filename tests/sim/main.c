/* tests/sim/run: many seeds, or one with its story. */
#include "sim.h"
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MARKS_NEEDED_FROM 2000 /* seeds: a run so large must have met everything in marks.def */
#define HANGS_AFTER_S 20       /* of the processor: whoever shares it, or stops us, does no harm */
#define SLEEPS_AFTER_S 1800    /* of the clock: nothing here ever waits */

static const char *const mark_names[MARK_COUNT] = {
#define MARK(NAME, TEXT) [MARK_##NAME] = #NAME,
#include "marks.def"
#undef MARK
};
static const char *const fault_names[FAULT_COUNT] = {"death",   "reboot",   "clock",  "disk",
                                                     "message", "broker",   "button", "endpoint",
                                                     "reload",  "stranger", "storm",  "people"};

struct options {
    uint64_t first, count;
    const char *seeds_file;
    unsigned without;
    bool one, trace, json, stop, shrink;
};

static struct conf *confs[CONFS];
static unsigned char key[64];
static uint64_t marks[MARK_COUNT];
static uint64_t happened;
static sigjmp_buf aborted;

static void on_signal(int number)
{
    siglongjmp(aborted, number);
}

/* 0 = no longer. */
static void hang_watch(unsigned processor_s, unsigned clock_s)
{
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = processor_s}}, NULL);
    alarm(clock_s);
}

/* True: the history was good. `why` gets what was wrong, also when an assertion failed or nothing ended. */
static bool run(uint64_t seed, unsigned without, bool trace, char *why, size_t size)
{
    struct world *w = world_create(seed, confs, key, marks, without, trace);
    int number = sigsetjmp(aborted, 1);
    if (number == 0) {
        hang_watch(HANGS_AFTER_S, SLEEPS_AFTER_S);
        bool good = world_run(w);
        hang_watch(0, 0);
        snprintf(why, size, "%s", w->failure);
        happened += w->happened;
        world_destroy(w);
        return good;
    }
    hang_watch(0, 0);
    snprintf(why, size, "at %lld.%03lld s: %s", (long long)(w->now_ms / 1000), (long long)(w->now_ms % 1000),
             number == SIGALRM || number == SIGPROF ? "the daemon's code does not come back"
             : number == SIGABRT                    ? "an assertion failed"
                                                    : "a crash in the daemon's code");
    return false; /* the world is left as it is: nothing in it can be trusted */
}

/* Leaves out one part of the faults after the other, as long as it still fails. */
static unsigned shrink(uint64_t seed, char *why, size_t size)
{
    unsigned without = 0;
    char text[1024];
    for (int i = 0; i < FAULT_COUNT; i++)
        if (!run(seed, without | 1u << i, false, text, sizeof text)) {
            without |= 1u << i;
            snprintf(why, size, "%s", text);
        }
    return without;
}

static void report(const struct options *o, uint64_t seed, unsigned without, const char *why)
{
    fprintf(o->json ? stderr : stdout, "seed %llu fails %s\n", (unsigned long long)seed, why);
    if (!o->shrink)
        return;
    char text[1024];
    snprintf(text, sizeof text, "%s", why);
    without |= shrink(seed, text, sizeof text);
    fprintf(o->json ? stderr : stdout, "  also without:");
    for (int i = 0; i < FAULT_COUNT; i++)
        if (without & 1u << i)
            fprintf(o->json ? stderr : stdout, " --without %s", fault_names[i]);
    fprintf(o->json ? stderr : stdout, "\n  then %s\n", text);
}

struct sum {
    uint64_t seeds, failures, first_failure;
};

static bool run_one(const struct options *o, uint64_t seed, struct sum *sum)
{
    char why[1024];
    sum->seeds++;
    if (run(seed, o->without, o->trace, why, sizeof why))
        return true;
    if (sum->failures++ == 0)
        sum->first_failure = seed;
    report(o, seed, o->without, why);
    return false;
}

static void run_file(const struct options *o, struct sum *sum)
{
    char line[256];
    FILE *f = fopen(o->seeds_file, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line)
            run_one(o, seed, sum);
    }
    if (f)
        fclose(f);
    else
        fprintf(stderr, "%s cannot be read\n", o->seeds_file);
}

static unsigned marks_missing(FILE *out, const char *before, const char *between)
{
    unsigned count = 0;
    for (int i = 0; i < MARK_COUNT; i++)
        if (marks[i] == 0)
            fprintf(out, "%s%s%s", count++ ? between : "", before, mark_names[i]), fputs(before, out);
    return count;
}

static int finish(const struct options *o, const struct sum *sum, double seconds)
{
    double per_minute = seconds > 0 ? (double)sum->seeds * 60 / seconds : 0;
    unsigned missing = 0;
    if (o->json) {
        printf("{\"seeds\":%llu,\"failures\":%llu,\"seeds_per_minute\":%.0f,\"happenings\":%llu,\"first_"
               "failure\":",
               (unsigned long long)sum->seeds, (unsigned long long)sum->failures, per_minute,
               (unsigned long long)happened);
        printf(sum->failures ? "%llu" : "null", (unsigned long long)sum->first_failure);
        printf(",\"marks_missing\":[");
        missing = marks_missing(stdout, "\"", ",");
        printf("]}\n");
    } else if (!o->one) {
        for (int i = 0; i < MARK_COUNT; i++)
            printf("%12llu  %s\n", (unsigned long long)marks[i], mark_names[i]);
        printf("%llu seeds, %llu failures, %.0f seeds a minute, %llu happenings\n",
               (unsigned long long)sum->seeds, (unsigned long long)sum->failures, per_minute,
               (unsigned long long)happened);
        printf("never met: ");
        missing = marks_missing(stdout, "", " ");
        printf("%s\n", missing ? "" : "nothing");
    } else if (sum->failures == 0)
        printf("seed %llu is good\n", (unsigned long long)o->first);
    bool enough = sum->seeds < MARKS_NEEDED_FROM || missing == 0 || o->without;
    return sum->failures || !enough ? 1 : 0;
}

static unsigned fault_of(const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (strcmp(fault_names[i], name) == 0)
            return 1u << i;
    fprintf(stderr, "there is no fault \"%s\"\n", name);
    exit(2);
}

static void usage(FILE *to)
{
    fputs("usage: run [--seeds N] [--first S] [--file FILE] [--stop] [--shrink] [--json]\n"
          "       run --seed S [--trace] [--without FAULT]...\n\n"
          "--stop: end at the first failure. --shrink: find out which faults a failure needs.\n"
          "faults: death reboot clock disk message broker button endpoint reload stranger storm people\n",
          to);
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option long_options[] = {
        {"seeds", 1, NULL, 'n'}, {"first", 1, NULL, 'f'},   {"seed", 1, NULL, 's'}, {"trace", 0, NULL, 't'},
        {"json", 0, NULL, 'j'},  {"without", 1, NULL, 'w'}, {"stop", 0, NULL, 'x'}, {"shrink", 0, NULL, 'k'},
        {"file", 1, NULL, 'i'},  {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    *o = (struct options){.first = 1, .count = 300};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        switch (c) {
        case 'n':
            o->count = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            o->first = strtoull(optarg, NULL, 10);
            break;
        case 's':
            o->first = strtoull(optarg, NULL, 10);
            o->one = true;
            break;
        case 't':
            o->trace = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'w':
            o->without |= fault_of(optarg);
            break;
        case 'x':
            o->stop = true;
            break;
        case 'k':
            o->shrink = true;
            break;
        case 'i':
            o->seeds_file = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return false;
        }
    if (o->one)
        o->count = 1;
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options o;
    struct sum sum = {0};
    struct timespec from, to;
    if (!parse(argc, argv, &o)) {
        usage(stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!confs_load(confs, key)) {
        fprintf(stderr, "the configurations of the simulation cannot be read\n");
        return 2;
    }
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    signal(SIGALRM, on_signal);
    signal(SIGPROF, on_signal);
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (o.seeds_file)
        run_file(&o, &sum);
    for (uint64_t i = 0; i < o.count; i++)
        if (!run_one(&o, o.first + i, &sum) && o.stop)
            break;
    clock_gettime(CLOCK_MONOTONIC, &to);
    int code =
        finish(&o, &sum, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    for (int i = 0; i < CONFS; i++)
        conf_destroy(confs[i]);
    return code;
}
