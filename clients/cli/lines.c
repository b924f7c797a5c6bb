#include "cli/lines.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "journal/note.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct lines {
    struct server *server;
    sqlite3 *database;
    char *path;
    const char *text; /* an export's journal.ndjson, mapped */
    size_t text_size;
    size_t *starts; /* of each line, and the end */
    uint64_t count;
};

static int cannot_read(const char *path, const char *why)
{
    complain_about(TEXT_CANNOT_READ, {"file", path}, {"why", why});
    return RESULT_UNREACHABLE;
}

struct lines *lines_of_server(struct server *s)
{
    struct lines *l = calloc(1, sizeof *l);
    if (l)
        l->server = s;
    return l;
}

static bool index_text(struct lines *l)
{
    size_t capacity = 0;
    for (size_t at = 0; at < l->text_size;) {
        if (l->count + 2 > capacity) {
            capacity = capacity ? capacity * 2 : 4096;
            size_t *starts = realloc(l->starts, capacity * sizeof *starts);
            if (!starts)
                return false;
            l->starts = starts;
        }
        const char *end = memchr(l->text + at, '\n', l->text_size - at);
        l->starts[l->count++] = at;
        at = end ? (size_t)(end - l->text) + 1 : l->text_size + 1;
        l->starts[l->count] = at;
    }
    return true;
}

static bool open_export(struct lines *l)
{
    char *file = NULL;
    struct stat status;
    if (asprintf(&file, "%s/journal.ndjson", l->path) < 0)
        return false;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &status) == 0;
    if (good && status.st_size > 0) {
        l->text_size = (size_t)status.st_size;
        l->text = mmap(NULL, l->text_size, PROT_READ, MAP_PRIVATE, fd, 0);
        good = l->text != MAP_FAILED;
        if (!good)
            l->text = NULL;
    }
    if (!good)
        cannot_read(file, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(file);
    return good && index_text(l);
}

static bool open_database(struct lines *l)
{
    int code = sqlite3_open_v2(l->path, &l->database, SQLITE_OPEN_READONLY, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(l->database, 1000);
        code = sqlite3_exec(l->database, "SELECT 1 FROM event LIMIT 1", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK)
        cannot_read(l->path, l->database ? sqlite3_errmsg(l->database) : sqlite3_errstr(code));
    return code == SQLITE_OK;
}

struct lines *lines_of_path(const char *path)
{
    struct stat status;
    struct lines *l = calloc(1, sizeof *l);
    if (!l || !(l->path = strdup(path))) {
        free(l);
        return NULL;
    }
    bool good = stat(path, &status) == 0;
    if (!good)
        cannot_read(path, strerror(errno));
    if (good && (S_ISDIR(status.st_mode) ? open_export(l) : open_database(l)))
        return l;
    lines_close(l);
    return NULL;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    sqlite3_close(l->database);
    if (l->text)
        munmap((void *)l->text, l->text_size);
    free(l->starts);
    free(l->path);
    free(l);
}

static int page_of_text(struct lines *l, uint64_t from_seq, unsigned limit, lines_fn *take, void *ctx)
{
    for (uint64_t i = from_seq - 1; i < l->count && i < from_seq - 1 + limit; i++)
        if (!take(ctx, i + 1, l->text + l->starts[i], l->starts[i + 1] - l->starts[i] - 1, NULL))
            break;
    return RESULT_OK;
}

/* The page is read to its end before anything is done with it, so that the read transaction is short. */
static int page_of_database(struct lines *l, uint64_t from_seq, unsigned limit, lines_fn *take, void *ctx)
{
    static const char sql[] = "SELECT e.seq, e.line, n.text FROM event e LEFT JOIN note n ON n.seq = e.seq"
                              " WHERE e.seq >= ? ORDER BY e.seq LIMIT ?";
    struct row {
        uint64_t seq;
        size_t size;
        char *line, *note;
    } *rows = calloc(limit, sizeof *rows);
    sqlite3_stmt *statement = NULL;
    size_t count = 0;
    int code = rows ? sqlite3_prepare_v2(l->database, sql, -1, &statement, NULL) : SQLITE_NOMEM;
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)from_seq);
        sqlite3_bind_int64(statement, 2, limit);
        while ((code = sqlite3_step(statement)) == SQLITE_ROW && count < limit) {
            struct row *r = &rows[count++];
            const void *line = sqlite3_column_blob(statement, 1);
            const unsigned char *note = sqlite3_column_text(statement, 2);
            r->seq = (uint64_t)sqlite3_column_int64(statement, 0);
            r->size = (size_t)sqlite3_column_bytes(statement, 1);
            r->line = line ? strndup(line, r->size) : strdup("");
            r->note = note ? strdup((const char *)note) : NULL;
        }
    }
    sqlite3_finalize(statement);
    bool going = true;
    for (size_t i = 0; i < count; i++) {
        going = going && rows[i].line && take(ctx, rows[i].seq, rows[i].line, rows[i].size, rows[i].note);
        free(rows[i].line);
        free(rows[i].note);
    }
    free(rows);
    return code == SQLITE_DONE || code == SQLITE_ROW ? RESULT_OK
                                                     : cannot_read(l->path, sqlite3_errmsg(l->database));
}

static int page_of_server(struct lines *l, uint64_t from_seq, unsigned limit, lines_fn *take, void *ctx)
{
    char path[96], *text;
    size_t size;
    snprintf(path, sizeof path, "/api/v1/journal?from=%" PRIu64 "&limit=%u", from_seq, limit);
    int result = server_get_text(l->server, path, &text, &size);
    const char *end = text ? text + size : NULL;
    for (const char *line = text; result == RESULT_OK && line < end; from_seq++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((stop ? stop : end) - line);
        if (!take(ctx, from_seq, line, length, NULL))
            break;
        line += length + 1;
    }
    free(text);
    return result;
}

int lines_page(struct lines *l, uint64_t from_seq, unsigned limit, lines_fn *take, void *ctx)
{
    if (l->server)
        return page_of_server(l, from_seq, limit, take, ctx);
    return l->database ? page_of_database(l, from_seq, limit, take, ctx)
                       : page_of_text(l, from_seq, limit, take, ctx);
}

static int count_of_server(struct lines *l, uint64_t *out)
{
    struct note_checkpoint checkpoint;
    char *text, error[LIMIT_TEXT];
    size_t size;
    int result = server_get_text(l->server, "/api/v1/journal/checkpoint", &text, &size);
    if (result == RESULT_OK && !note_parse(text, size, &checkpoint, error)) {
        complain_about(TEXT_ANSWER_BAD, {"url", server_url(l->server)}, {"why", error});
        result = RESULT_UNREACHABLE;
    }
    *out = result == RESULT_OK ? checkpoint.size : 0;
    free(text);
    return result;
}

int lines_count(struct lines *l, uint64_t *out)
{
    *out = l->count;
    if (l->server)
        return count_of_server(l, out);
    if (!l->database)
        return RESULT_OK;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(l->database, "SELECT max(seq) FROM event", -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? RESULT_OK : cannot_read(l->path, sqlite3_errmsg(l->database));
}

static bool take_moment(void *ctx, uint64_t seq, const char *line, size_t size, const char *note)
{
    json_t *event = json_loadb(line, size, 0, NULL);
    *(int64_t *)ctx = member_time(event, "at");
    json_decref(event);
    return false;
}

int lines_from_moment(struct lines *l, int64_t at_ms, uint64_t *seq)
{
    uint64_t count;
    int result = lines_count(l, &count);
    uint64_t low = 1, high = count + 1;
    while (result == RESULT_OK && low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t its_ms = 0;
        result = lines_page(l, middle, 1, take_moment, &its_ms);
        if (its_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    *seq = low;
    return result;
}
