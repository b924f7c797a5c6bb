/* tests/powercut/run: plays the scenario and cuts the power at each sync and between. Each image is a process
 * of its own, made by fork() at that moment: it loses what a cut takes and starts the journal again. */
#include "check.h"
#include "scenario.h"
#include "vfs.h"

#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_AFTER_S 60 /* of work; or ten times that by the clock */
#define LIVES 3          /* cuts of one image at most */
#define EACH 2 /* images of each sync: before it takes effect, and one after it when nobody was told yet */
#define BETWEEN 100 /* and after so many of 10,000 writes, times EACH */

#define HEAVY_SEEDS 10 /* every so many seeds goes through the chapters that write many megabytes */

struct options {
    uint64_t images, each, one_in, seed, image, lie_about;
    bool json, stop, verbose;
};

struct sum { /* shared with the processes of the images */
    uint64_t scenarios, sync_points, images, failures, torn, twice, killed, failed_disk;
    uint64_t seed, image; /* of the first failure */
    char chapter[40], why[LIMIT_TEXT];
};

struct run {
    const struct options *options;
    struct sum *sum;
    struct world world;
    struct dice between;
    uint64_t seed, image; /* of this scenario; the number of the newest image */
    const char *chapter;
    bool heavy;
    /* In the process of an image. */
    struct dice dice;
    int life;         /* how often the power was cut; 0 = it has not been */
    unsigned moments; /* until it is cut again; 0 = never */
};

static void note_failure(struct run *r, const char *why)
{
    struct sum *s = r->sum;
    if (s->failures++ == 0) {
        s->seed = r->seed;
        s->image = r->image;
        snprintf(s->chapter, sizeof s->chapter, "%s", r->chapter);
        snprintf(s->why, sizeof s->why, "%s", why);
    }
    fprintf(stderr, "seed %" PRIu64 " image %" PRIu64 " (%s) fails: %s\n", r->seed, r->image, r->chapter,
            why);
}

/* What may be lost now. */
static void tell_unsynced(const struct disk *d)
{
    for (size_t i = 0; i < DISK_NAMES; i++) {
        const struct disk_name *n = &d->names[i];
        if (n->file != n->durable)
            fprintf(stderr, "  %s: %s\n", n->path, n->file ? "new" : "removed");
        for (size_t c = 0; n->file && c < n->file->count; c++)
            fprintf(stderr, "  %s: %s%zu bytes at %zu%s\n", n->path,
                    n->file->changes[c].truncate ? "cut off, " : "", n->file->changes[c].size,
                    n->file->changes[c].at, n->file->changes[c].left_behind ? ", left behind by a sync" : "");
    }
}

/* In the process of an image: what is not durable is lost, or only the daemon dies; then it starts again. */
static _Noreturn void live_on(struct run *r)
{
    struct world *w = &r->world;
    char why[LIMIT_TEXT];
    struct disk_damage damage = {0};
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = HANGS_AFTER_S}}, NULL);
    alarm(10 * HANGS_AFTER_S);
    bool killed = dice_chance(&r->dice, 800);
    if (r->options->verbose)
        tell_unsynced(&w->disk);
    world_died(w);
    if (!killed)
        damage = disk_cut(&w->disk, &r->dice);
    r->life++;
    r->sum->torn += damage.torn > 0;
    r->sum->twice += r->life == 2;
    r->sum->killed += killed;
    /* What a killed daemon has written is not synced yet: a sync that fails then is the first one, and short before the next cut. */
    bool fails = dice_chance(&r->dice, killed ? 4000 : 700), soon = killed && fails;
    r->moments = r->life < LIVES && dice_chance(&r->dice, 4000) ? 1 + dice_below(&r->dice, soon ? 8 : 14) : 0;
    w->witness.busy = false;
    w->disk.fault = (struct disk_fault){fails ? FAULT_SYNC : FAULT_NONE, dice_chance(&r->dice, 6000) ? "-wal" : ".db",
                                        soon ? 0 : dice_below(&r->dice, 3)};
    r->sum->failed_disk += fails;
    if (r->options->verbose)
        fprintf(stderr, "life %d: %s, %u changes lost, %u torn%s\n", r->life,
                killed ? "the daemon was killed" : "the power was cut", damage.lost, damage.torn,
                fails ? ", a sync will fail" : "");
    bool good = check_world(w, fails, why);
    if (!good)
        note_failure(r, why);
    _exit(!good);
}

static void *image_thread(void *run)
{
    live_on(run);
}

/* A thread has memory of its own. What the scenario has let go of lies scattered, and using it again would
 * copy a page for each piece: that takes longer than all the rest. */
static _Noreturn void live_apart(struct run *r)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, image_thread, r) == 0)
        pthread_join(thread, NULL);
    abort();
}

static void make_image(struct run *r)
{
    r->image++;
    if (r->options->image ? r->options->image != r->image : r->image % r->options->one_in != 0)
        return;
    r->sum->images++;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        r->dice.state = r->seed * 0x100000001b3u + r->image;
        live_apart(r);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (WIFSIGNALED(status))
        note_failure(r, WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF
                            ? "the daemon's code does not come back"
                        : WTERMSIG(status) == SIGABRT ? "an assertion failed"
                                                      : "a crash in the daemon's code");
    if (r->sum->failures && r->options->stop)
        _exit(1);
}

static void on_moment(void *ctx, enum disk_moment moment)
{
    struct run *r = ctx;
    if (r->life > 0) {
        if (moment != DISK_BETWEEN && r->moments > 0 && --r->moments == 0)
            live_on(r);
        return;
    }
    uint64_t each = r->options->each, before = r->heavy || each < 2 ? 1 : each - 1;
    uint64_t count = moment == DISK_BEFORE_SYNC ? before
                     : moment == DISK_AFTER_SYNC
                         ? each > 1
                         : dice_chance(&r->between, r->heavy ? 5 : (uint32_t)each * BETWEEN);
    r->sum->sync_points += moment == DISK_BEFORE_SYNC;
    for (uint64_t i = 0; i < count; i++)
        make_image(r);
}

static bool on_chapter(void *ctx, const char *name)
{
    struct run *r = ctx;
    r->chapter = name;
    r->heavy = r->heavy || strcmp(name, SCENARIO_HEAVY) == 0;
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    if (r->options->verbose)
        fprintf(stderr, "from image %" PRIu64 ", sync %" PRIu64 ", %ld s of work: %s\n", r->image + 1,
                r->world.disk.syncs + 1, (long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec), name);
    return !r->heavy || r->seed % HEAVY_SEEDS == 1;
}

/* The process of a scenario. */
static _Noreturn void play(struct run *r)
{
    char why[LIMIT_TEXT];
    struct dice dice = {r->seed};
    r->between.state = ~r->seed;
    r->world.disk.moment = on_moment;
    r->world.disk.ctx = r;
    r->world.disk.lie_about = r->options->lie_about;
    bool good = scenario_play(&r->world, &dice, on_chapter, r, why);
    if (!good) {
        r->image = 0;
        note_failure(r, why);
    }
    _exit(!good);
}

static void play_scenario(struct run *r, uint64_t seed)
{
    uint64_t failures = r->sum->failures;
    r->seed = seed;
    r->image = 0;
    r->chapter = "";
    r->sum->scenarios++;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        play(r);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    if (status != 0 && r->sum->failures == failures)
        note_failure(r, "the scenario itself ended with a crash or an assertion");
}

static void report(const struct options *o, const struct sum *s, double seconds)
{
    double per_minute = seconds > 0 ? (double)s->images * 60 / seconds : 0;
    if (!o->json) {
        printf("%" PRIu64 " images of %" PRIu64 " sync points in %" PRIu64
               " scenarios (%.0f a minute): %" PRIu64 " torn, %" PRIu64 " cut again while starting, %" PRIu64
               " killed instead, %" PRIu64 " on a disk that fails again; %" PRIu64 " failures\n",
               s->images, s->sync_points, s->scenarios, per_minute, s->torn, s->twice, s->killed,
               s->failed_disk, s->failures);
        return;
    }
    printf("{\"scenarios\":%" PRIu64 ",\"sync_points\":%" PRIu64 ",\"images\":%" PRIu64
           ",\"failures\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"cut_again\":%" PRIu64 ",\"killed\":%" PRIu64
           ",\"disk_failed_again\":%" PRIu64 ",\"images_per_minute\":%.0f,\"first_failure\":",
           s->scenarios, s->sync_points, s->images, s->failures, s->torn, s->twice, s->killed, s->failed_disk,
           per_minute);
    if (s->failures)
        printf("{\"seed\":%" PRIu64 ",\"image\":%" PRIu64 "}}\n", s->seed, s->image);
    else
        printf("null}\n");
}

static void usage(FILE *to)
{
    fputs("usage: run [--images N] [--each N] [--seed S] [--stop] [--lie-about-sync K] [--json]\n"
          "       run --seed S --image I [--verbose]\n\n"
          "Plays the life of a journal, cuts the power at every sync and between, starts again and "
          "compares.\n\n"
          "  --images N            play it again with the next seed until there were so many; default: once\n"
          "  --each N              images of each sync; default 2. The number of an image depends on it\n"
          "  --one-in N            only each N-th of all these images\n"
          "  --seed S              the first seed; default 1\n"
          "  --image I             only this one of the seed's, to look at a failure\n"
          "  --stop                end at the first failure\n"
          "  --lie-about-sync K    the disk only says that it did the K-th sync; 0: it never does one. Good "
          "(0) is\n"
          "                        then the run that finds this out\n"
          "  --verbose             what happens\n"
          "  --json                the last line is one JSON object\n",
          to);
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {{"images", 1, NULL, 'n'},         {"each", 1, NULL, 'e'},
                                          {"seed", 1, NULL, 's'},           {"image", 1, NULL, 'i'},
                                          {"lie-about-sync", 1, NULL, 'l'}, {"stop", 0, NULL, 'x'},
                                          {"verbose", 0, NULL, 'v'},        {"json", 0, NULL, 'j'},
                                          {"one-in", 1, NULL, 'o'},         {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *o = (struct options){.seed = 1, .each = EACH, .one_in = 1};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        char *end = NULL;
        uint64_t number = optarg ? strtoull(optarg, &end, 10) : 0;
        if (end && (*end || optarg[0] == '-' || end == optarg)) {
            fprintf(stderr, "\"%s\" is not a number\n", optarg);
            return false;
        }
        switch (c) {
        case 'n':
            o->images = number;
            break;
        case 'e':
            o->each = number < 1 ? 1 : number < 100 ? number : 100;
            break;
        case 'o':
            o->one_in = number < 1 ? 1 : number;
            break;
        case 's':
            o->seed = number;
            break;
        case 'i':
            o->image = number;
            break;
        case 'l':
            o->lie_about = number ? number : UINT64_MAX;
            break;
        case 'x':
            o->stop = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct run r;
    struct options o;
    struct timespec from, to;
    if (!parse(argc, argv, &o) || sodium_init() < 0) {
        usage(stderr);
        return 2;
    }
    r.options = &o;
    r.sum = mmap(NULL, sizeof *r.sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r.sum == MAP_FAILED)
        return 2;
    mallopt(M_TOP_PAD, 8 << 20); /* memory is asked for in large steps: images begin with none */
    world_make(&r.world, SCENARIO_LINES);
    clock_gettime(CLOCK_MONOTONIC, &from);
    uint64_t seed = o.seed;
    do
        play_scenario(&r, seed++);
    while (!o.image && r.sum->images < o.images && !(o.stop && r.sum->failures));
    clock_gettime(CLOCK_MONOTONIC, &to);
    report(&o, r.sum, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    world_finish(&r.world);
    if (o.lie_about)
        return r.sum->failures ? 0 : 1;
    return r.sum->failures || r.sum->images == 0 ? 1 : 0;
}
