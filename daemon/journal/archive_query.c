#include "journal/archive_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MS 5000
#define PAUSE_MS 1000 /* of QUERY_MS that a question stands back while something is recorded */
#define HOUR_MS 3600000

const unsigned archive_limits_s[SPREAD_COUNT][ARCHIVE_LIMITS] = {
    [SPREAD_RECEIVED] = {30, 60, 120, 180},
    [SPREAD_ACKNOWLEDGED] = {30, 60, 120, 180},
    [SPREAD_COMING] = {300, 600, 900, 1800},
    [SPREAD_FEEDBACK] = {1800, 3600, 7200, 14400}};

/* The parameters of all questions; a clause stands in a question only when it asks for it, so that an index
 * can be used. The moments of opening nearly rise with seq, but a clock may step: seq only narrows down where
 * they are. */
enum parameter {
    P_SITE = 1,
    P_SITES,
    P_FROM,
    P_TO,
    P_KIND,
    P_MODE,
    P_DISPOSITION,
    P_TEXT,
    P_BEFORE,
    P_LIMIT,
    P_YEAR_FROM,
    P_YEAR_TO
};
#define WHERE_ROOM 1024

static void add(char where[WHERE_ROOM], bool wanted, const char *clause)
{
    size_t size = strlen(where);
    assert(size + strlen(clause) < WHERE_ROOM);
    if (wanted)
        strcpy(where + size, clause);
}

static void whose(char where[WHERE_ROOM], const struct archive_query *q)
{
    add(where, q->site[0], " AND site = ?1");
    add(where, q->sites, " AND site IN (SELECT value FROM json_each(?2))");
}

static void when(char where[WHERE_ROOM], const struct archive_query *q)
{
    add(where, q->from_ms > INT64_MIN,
        " AND opened_at >= ?3 AND seq >= (SELECT coalesce(min(seq), 0) FROM alarm INDEXED BY alarm_opened "
        "WHERE opened_at >= ?3)");
    add(where, q->to_ms < INT64_MAX, " AND opened_at < ?4");
}

static void bind_query(sqlite3_stmt *s, const struct archive_query *q)
{
    sqlite3_bind_text(s, P_SITE, q->site, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, P_SITES, q->sites, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, P_FROM, q->from_ms);
    sqlite3_bind_int64(s, P_TO, q->to_ms);
    sqlite3_bind_text(s, P_KIND, q->kind < 0 ? NULL : kind_str((enum kind)q->kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(s, P_MODE, q->mode < 0 ? NULL : mode_str((enum mode)q->mode), -1, SQLITE_STATIC);
    sqlite3_bind_text(s, P_DISPOSITION,
                      q->disposition < 0 ? NULL : disposition_str((enum disposition)q->disposition), -1,
                      SQLITE_STATIC);
    sqlite3_bind_text(s, P_TEXT, q->text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, P_BEFORE, q->before <= INT64_MAX ? (int64_t)q->before : INT64_MAX);
    sqlite3_bind_int64(s, P_LIMIT, (int64_t)q->limit + 1); /* one more tells whether there is more */
    sqlite3_bind_int64(s, P_YEAR_FROM, q->year_from_ms);
    sqlite3_bind_int64(s, P_YEAR_TO, q->year_to_ms);
}

/* has(words, text): each word of the text, lower case, is somewhere in the words. */
static void has(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *words = sqlite3_value_blob(values[0]), *text = (const char *)sqlite3_value_text(values[1]);
    size_t size = (size_t)sqlite3_value_bytes(values[0]);
    bool all = text != NULL;
    while (all && *(text += strspn(text, " "))) {
        size_t length = strcspn(text, " ");
        all = words && memmem(words, size, text, length);
        text += length;
    }
    sqlite3_result_int(context, all);
}

static bool begin(struct archive_file *f, sqlite3_stmt **s, const char *sql, const struct archive_query *q)
{
    f->deadline_ns = uv_hrtime() + QUERY_MS * 1000000ULL;
    f->pause_ns = PAUSE_MS * 1000000ULL;
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    *s = NULL;
    if (sqlite3_create_function_v2(f->db, "has", 2, flags, NULL, has, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(f->db, sql, -1, s, NULL) != SQLITE_OK)
        return false;
    bind_query(*s, q);
    return true;
}

static bool end(struct archive_file *f, sqlite3_stmt *s, int code, char error[LIMIT_TEXT])
{
    f->deadline_ns = f->pause_ns = 0;
    bool good = code == SQLITE_DONE || code == SQLITE_ROW;
    if ((code & 0xff) == SQLITE_INTERRUPT)
        snprintf(error, LIMIT_TEXT,
                 "this could not be found within %d s: ask for less, a site or a shorter time",
                 QUERY_MS / 1000);
    else if (!good)
        sqlite_file_error(f->db, code, error);
    sqlite3_finalize(s);
    return good;
}

static void copy(char *to, size_t capacity, const unsigned char *from)
{
    snprintf(to, capacity, "%s", from ? (const char *)from : "");
}

static void split_zones(struct archive_row *row, const char *zones)
{
    while (zones && *zones && row->zone_count < ARCHIVE_ZONES) {
        size_t size = strcspn(zones, " ");
        snprintf(row->zones[row->zone_count++], LIMIT_ID, "%.*s", (int)size, zones);
        zones += size + (zones[size] == ' ');
    }
}

#define SELECT_ROW                                                                                           \
    "SELECT seq, id, site, kind, mode, disposition, opened_at, closed_at, closed_ms, received_ms, "          \
    "acknowledged_ms, coming_ms,"                                                                            \
    " on_scene_ms, acknowledged_by, coming_by, on_scene_by, closed_by, press_count, zones FROM alarm WHERE " \
    "1"

/* False: it is not a row of ours. */
static bool take_row(struct archive_row *row, sqlite3_stmt *s)
{
    *row = (struct archive_row){.seq = (uint64_t)sqlite3_column_int64(s, 0),
                                .opened_at_ms = sqlite3_column_int64(s, 6),
                                .closed_at_ms = sqlite3_column_int64(s, 7),
                                .closed_ms = sqlite3_column_int64(s, 8),
                                .press_count = (uint32_t)sqlite3_column_int64(s, 17)};
    copy(row->id, sizeof row->id, sqlite3_column_text(s, 1));
    copy(row->site, sizeof row->site, sqlite3_column_text(s, 2));
    for (int i = 0; i < ARCHIVE_MOMENTS; i++)
        row->moment_ms[i] = sqlite3_column_int64(s, 9 + i);
    char *people[] = {row->acknowledged_by, row->coming_by, row->on_scene_by, row->closed_by};
    for (int i = 0; i < 4; i++)
        copy(people[i], LIMIT_ID, sqlite3_column_text(s, 13 + i));
    split_zones(row, (const char *)sqlite3_column_text(s, 18));
    const char *kind = (const char *)sqlite3_column_text(s, 3),
               *mode = (const char *)sqlite3_column_text(s, 4),
               *disposition = (const char *)sqlite3_column_text(s, 5);
    return kind && mode && disposition && kind_of(kind, &row->kind) && mode_of(mode, &row->mode) &&
           disposition_of(disposition, &row->disposition);
}

bool archive_file_find(struct archive_file *f, const struct archive_query *q, struct archive_row **rows,
                       size_t *count, bool *more, char error[LIMIT_TEXT])
{
    char where[WHERE_ROOM] = SELECT_ROW;
    whose(where, q);
    when(where, q);
    add(where, q->kind >= 0, " AND kind = ?5");
    add(where, q->mode >= 0, " AND mode = ?6");
    add(where, q->disposition >= 0, " AND disposition = ?7");
    add(where, q->before, " AND seq < ?9");
    add(where, q->text[0], " AND has(words, ?8)");
    add(where, true, " ORDER BY seq DESC LIMIT ?10");
    *rows = calloc(q->limit, sizeof **rows);
    *count = 0;
    assert(*rows);
    sqlite3_stmt *s;
    int code = begin(f, &s, where, q) ? SQLITE_ROW : sqlite3_errcode(f->db);
    while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW && *count < q->limit)
        *count += take_row(&(*rows)[*count], s);
    *more = code == SQLITE_ROW;
    return end(f, s, code, error);
}

/* --- Sums. */

static void spread(struct archive_sum *sum, enum archive_spread which, int64_t ms)
{
    unsigned i = 0;
    while (i < ARCHIVE_LIMITS && ms > (int64_t)archive_limits_s[which][i] * 1000)
        i++;
    if (ms == ARCHIVE_NEVER)
        sum->never[which]++;
    else
        sum->counts[which][i]++;
}

static void count_hours(struct archive_sum *sum, sqlite3_stmt *s, int column, int offset_min)
{
    const char *bytes = sqlite3_column_blob(s, column);
    size_t count = (size_t)sqlite3_column_bytes(s, column) / sizeof(int64_t);
    for (size_t i = 0; i < count; i++) {
        int64_t at_ms;
        memcpy(&at_ms, bytes + i * sizeof at_ms, sizeof at_ms);
        int64_t hour = (at_ms + offset_min * 60000LL) / HOUR_MS % 24;
        sum->by_hour[hour < 0 ? hour + 24 : hour]++;
    }
}

static void sum_row(struct archive_sums *sums, sqlite3_stmt *s, const struct archive_query *q)
{
    enum mode mode;
    const char *text = (const char *)sqlite3_column_text(s, 0);
    if (!text || !mode_of(text, &mode))
        return;
    struct archive_sum *sum = &sums->modes[mode];
    int64_t on_scene = sqlite3_column_int64(s, 5);
    sum->alarms++;
    sum->presses += (uint64_t)sqlite3_column_int64(s, 1);
    spread(sum, SPREAD_RECEIVED, sqlite3_column_int64(s, 2));
    spread(sum, SPREAD_ACKNOWLEDGED, sqlite3_column_int64(s, 3));
    spread(sum, SPREAD_COMING, sqlite3_column_int64(s, 4));
    spread(sum, SPREAD_FEEDBACK, on_scene != ARCHIVE_NEVER ? on_scene : sqlite3_column_int64(s, 6));
    count_hours(sum, s, 7, q->offset_min);
}

static bool sum_alarms(struct archive_file *f, const struct archive_query *q, struct archive_sums *sums,
                       char error[LIMIT_TEXT])
{
    char where[WHERE_ROOM] = "SELECT mode, press_count, received_ms, acknowledged_ms, coming_ms, "
                             "on_scene_ms, closed_ms, press_at FROM alarm WHERE 1";
    whose(where, q);
    when(where, q);
    sqlite3_stmt *s;
    int code = begin(f, &s, where, q) ? SQLITE_ROW : sqlite3_errcode(f->db);
    while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW)
        sum_row(sums, s, q);
    return end(f, s, code, error);
}

#define OF_MODE(mode) "mode = '" mode "' AND opened_at >= ?3 AND opened_at < ?4"
#define OF_YEAR "mode = 'real' AND disposition <> 'duplicate' AND opened_at >= ?11 AND opened_at < ?12"

static bool sum_sites(struct archive_file *f, const struct archive_query *q, struct archive_sums *sums,
                      char error[LIMIT_TEXT])
{
    char
        sql[WHERE_ROOM] =
            "SELECT site, total(press_count * (" OF_MODE("real") ")), total(press_count * (" OF_MODE("drill") ")), total(press_count * (" OF_MODE(
                "test") ")), total(" OF_MODE("real") "), total(" OF_MODE("drill") "), total(" OF_MODE("test") "), total(" OF_YEAR
                                                                                                              "), total(" OF_YEAR
                                                                                                              " AND disposition IN ('false', 'accidental')) FROM alarm WHERE 1";
    whose(sql, q);
    add(sql, true,
        " GROUP BY site HAVING max((opened_at >= ?3 AND opened_at < ?4) OR (" OF_YEAR
        ")) ORDER BY 2 DESC, site");
    sqlite3_stmt *s;
    int code = begin(f, &s, sql, q) ? SQLITE_ROW : sqlite3_errcode(f->db);
    while (code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW) {
        sums->sites = realloc(sums->sites, (sums->site_count + 1) * sizeof *sums->sites);
        assert(sums->sites);
        struct archive_site *site = &sums->sites[sums->site_count++];
        *site = (struct archive_site){.year_alarms = (uint64_t)sqlite3_column_int64(s, 7),
                                      .year_false = (uint64_t)sqlite3_column_int64(s, 8)};
        copy(site->id, sizeof site->id, sqlite3_column_text(s, 0));
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            site->presses[mode] = (uint64_t)sqlite3_column_int64(s, 1 + mode);
            site->alarms[mode] = (uint64_t)sqlite3_column_int64(s, 4 + mode);
        }
    }
    return end(f, s, code, error);
}

bool archive_file_sum(struct archive_file *f, const struct archive_query *q, struct archive_sums *sums,
                      char error[LIMIT_TEXT])
{
    return sum_alarms(f, q, sums, error) && sum_sites(f, q, sums, error);
}
