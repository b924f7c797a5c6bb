/* house_last_good.c - a copy of the configuration the daemon runs on, for a start after somebody has broken the file: a bad
 * comma and a power cut may not leave a school without its alarm. */
#include "house.h"
#include "io/log.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct keeping {
    uv_work_t work;
    struct house *house;
    struct conf_copy *copy;
    bool kept;
    char error[LIMIT_TEXT];
};

static void keep_next(struct house *h);

static void keep(uv_work_t *work)
{
    struct keeping *k = work->data;
    k->kept = conf_copy_write(k->copy, k->house->last_good_file, k->error);
}

static void on_kept(uv_work_t *work, int status)
{
    struct keeping *k = work->data;
    struct house *h = k->house;
    if (!k->kept)
        log_format(LOG_LEVEL_WARNING, "%s %s: a start with a broken configuration would have no last good one of today",
                   h->last_good_file, k->error);
    conf_copy_destroy(k->copy);
    free(k);
    h->keeping = false;
    keep_next(h);
}

/* One at a time, off the loop; what came while a disk was slow is kept once it answers, the newest only. */
static void keep_next(struct house *h)
{
    if (!h->to_keep || h->keeping || h->stopping)
        return;
    struct keeping *k = memory_zeroed(1, sizeof *k);
    k->work.data = k;
    k->house = h;
    k->copy = h->to_keep;
    h->to_keep = NULL;
    h->keeping = true;
    uv_queue_work(h->loop, &k->work, keep, on_kept);
}

void house_configured(struct house *h, struct conf_copy *take, const char *text)
{
    free(h->conf_fault);
    h->conf_fault = NULL;
    engine_trouble(h->engine, TROUBLE_CONF, "configuration", false, text);
    conf_copy_destroy(h->to_keep);
    h->to_keep = take;
    keep_next(h);
}

void house_say_conf(struct house *h)
{
    engine_trouble(h->engine, TROUBLE_CONF, "configuration", h->conf_fault != NULL,
                   h->conf_fault ? h->conf_fault : "the configuration was read at the start");
    keep_next(h);
}

static void print(const struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->count && i < CONF_PROBLEMS; i++)
        fprintf(stderr, "%s\n", problems->lines[i]);
}

/* What is wrong with the file, and when the copy was made, in the machine's time zone: "2026-07-14 07:30". */
static void say_fault(struct house *h, const char *problem)
{
    struct stat status;
    struct tm tm;
    char time[32];
    if (stat(h->last_good_file, &status) != 0 || !localtime_r(&status.st_mtime, &tm) ||
        !strftime(time, sizeof time, "%F %H:%M", &tm))
        snprintf(time, sizeof time, "an unknown time");
    if (asprintf(&h->conf_fault, "the daemon was started with the last good configuration, of %s, as the file is bad: %s",
                 time, problem) < 0)
        memory_end();
    fprintf(stderr, "tocsind: %s\n", h->conf_fault);
}

bool house_load_conf(struct house *h)
{
    struct conf_problems problems = {.at_start = true}, more = {.at_start = true};
    h->conf = conf_load_and_copy(h->conf_file, &problems, h->last_good_file ? &h->to_keep : NULL);
    print(&problems);
    if (!h->conf && h->last_good_file) {
        h->conf = conf_load_copy(h->last_good_file, h->conf_file, &more);
        print(&more);
        if (h->conf)
            say_fault(h, problems.lines[0]);
    }
    conf_problems_finish(&problems);
    conf_problems_finish(&more);
    return h->conf != NULL;
}
